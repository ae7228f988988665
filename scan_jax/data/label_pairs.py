"""Which label map belongs to which photograph of a folder, and what its split folders are."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from scan_jax.core.errors import UserError
from scan_jax.data.photo_folder import LABEL, File, list_photographs, stem

log = logging.getLogger(__name__)

LAYOUTS = "NAME_label.png beside NAME.jpg (or .png, .webp), or images/NAME.jpg with labels/NAME.png"
# The names of a split's folder.
FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclasses.dataclass(frozen=True)
class Pair(File):
    """A photograph with its label map.

    Attributes:
      photograph: the photograph's file.
      labels: the label map's file.
    """

    photograph: File
    labels: File

    def identity(self) -> str:
        """A line that is another one where either file has changed."""
        return self.photograph.identity() + self.labels.identity()

    def open(self) -> BinaryIO:
        """The photograph's bytes."""
        return self.photograph.open()


def find_pairs(folder: Path) -> list[Pair]:
    """Every photograph of the folder, at any depth, with its label map, sorted by the photograph's relative name.

    Raises:
      UserError: there are no photographs or no label maps, or a photograph without one, which is named.
    """
    return pair_up(list_photographs(folder), str(folder))


def pair_up(files: Sequence[File], folder: str) -> list[Pair]:
    """Every photograph among the image files with its label map, in their order; `folder` is for messages.

    Raises:
      UserError: there are no photographs or no label maps, or a photograph without one, which is named.
    """
    maps = {stem(file.name): file for file in files if file.path.suffix.lower() == ".png" and _is_label_map(file.name)}
    photographs = [file for file in files if not _is_label_map(file.name)]
    found = {file.name: _label_map(file.name, maps) for file in photographs}
    missing = [name for name, labels in found.items() if labels is None]
    if not photographs or len(missing) == len(photographs):
        raise UserError(
            f"no photograph with a label map in {folder} ({len(photographs)} photographs, {len(maps)} label maps); "
            f"put {LAYOUTS}; photographs without labels are for --config.data.name=photo_folder"
        )
    if missing:
        raise UserError(
            f"{len(missing)} of {len(photographs)} photographs in {folder} have no label map: "
            f"{', '.join(missing[:3])}; remove them, or put {LAYOUTS}"
        )
    pairs = [
        Pair(file.name, file.path, file.size, file.changed, file, labels)
        for file in photographs
        if (labels := found[file.name]) is not None
    ]
    unused = len(maps) - len({pair.labels.name for pair in pairs})
    if unused:
        log.warning("%d label maps in %s belong to no photograph", unused, folder)
    return pairs


def splits_by_folder(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The pairs in folders train, val and test, as "train", "validation" and "test".

    Returns:
      Nothing unless every pair lies in such a folder, some in train and some in another.
    """
    parts: dict[str, list[Pair]] = {}
    for pair in pairs:
        parts.setdefault(_split(pair.name), []).append(pair)
    whole = "" not in parts and "train" in parts and len(parts) > 1
    return {split: parts[split] for split in FOLDERS if split in parts} if whole else {}


def split_by_folder(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train with and, where every pair lies in a folder train, val or test, those to measure on.

    Returns:
      The pairs in train and those in val, or in test where there is no val; else all of them and none.
    """
    parts = splits_by_folder(pairs)
    if not parts:
        return list(pairs), []
    return parts["train"], parts.get("validation") or parts["test"]


def _split(name: str) -> str:
    """The split of "train/images/a.jpg" by the first of its folders that has such a name, or nothing."""
    for folder in PurePosixPath(name.lower()).parts[:-1]:
        for split, names in FOLDERS.items():
            if folder in names:
                return split
    return ""


def _label_map(name: str, maps: Mapping[str, File]) -> File | None:
    """The label map of the photograph `name`, if there is one: beside it, or in labels/ where it is in images/."""
    base, folders = stem(name), PurePosixPath(name).parts[:-1]
    beside = maps.get(f"{base}{LABEL}")
    if beside is not None or "images" not in folders:
        return beside
    place = folders.index("images")
    return maps.get(PurePosixPath(*folders[:place], "labels", *PurePosixPath(base).parts[place + 1 :]).as_posix())


def _is_label_map(name: str) -> bool:
    """Whether a name is of a label map: NAME_label.png, or anything in labels/."""
    return name.lower().endswith(f"{LABEL}.png") or "labels" in PurePosixPath(name).parts[:-1]
