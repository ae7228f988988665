"""Which label map belongs to which photograph of a folder, and what its split folders are."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from scan_jax.data.photo_folder import list_photographs
from scan_jax.data.verification import File
from scan_jax.errors import UserError

log = logging.getLogger(__name__)

LAYOUTS = "NAME_label.png beside NAME.jpg (or .png, .webp), or images/NAME.jpg with labels/NAME.png"
# The folders' names for each split; of two to measure on, the first that there is.
TRAIN, HELD_OUT = ("train", "training"), (("val", "valid", "validation"), ("test", "testing"))


@dataclasses.dataclass(frozen=True)
class Pair(File):
    """A photograph with its label map.

    Attributes:
      labels: the label map's file.
    """

    labels: File

    def identity(self) -> str:
        """A line that is another one where either file has changed."""
        return super().identity() + self.labels.identity()


def find_pairs(folder: Path) -> list[Pair]:
    """Every photograph of the folder, at any depth, with its label map, sorted by the photograph's relative name.

    Raises:
      UserError: there are no photographs or no label maps, or a photograph without one, which is named.
    """
    files = list_photographs(folder)
    maps = {_stem(file.name): file for file in files if file.path.suffix.lower() == ".png" and _is_label_map(file.name)}
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
        Pair(file.name, file.path, file.size, file.changed, labels)
        for file in photographs
        if (labels := found[file.name]) is not None
    ]
    unused = len(maps) - len({pair.labels.name for pair in pairs})
    if unused:
        log.warning("%d label maps in %s belong to no photograph", unused, folder)
    return pairs


def split_by_folder(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train with and, where every pair lies in a folder train, val or test, those to measure on.

    Returns:
      The pairs in train and those in val, or in test where there is no val; else all of them and none.
    """
    by_split: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_split.setdefault(_split(pair.name), []).append(pair)
    held_out = next((by_split[names[0]] for names in HELD_OUT if names[0] in by_split), [])
    if "" in by_split or TRAIN[0] not in by_split or not held_out:
        return list(pairs), []
    return by_split[TRAIN[0]], held_out


def _split(name: str) -> str:
    """The first name of the split among the folders of "train/images/a.jpg", or nothing."""
    for folder in PurePosixPath(name.lower()).parts[:-1]:
        for names in (TRAIN, *HELD_OUT):
            if folder in names:
                return names[0]
    return ""


def _label_map(name: str, maps: Mapping[str, File]) -> File | None:
    """The label map of the photograph `name`, if there is one: beside it, or in labels/ where it is in images/."""
    stem, folders = _stem(name), PurePosixPath(name).parts[:-1]
    beside = maps.get(f"{stem}_label")
    if beside is not None or "images" not in folders:
        return beside
    place = folders.index("images")
    return maps.get(PurePosixPath(*folders[:place], "labels", *PurePosixPath(stem).parts[place + 1 :]).as_posix())


def _is_label_map(name: str) -> bool:
    """Whether a name is of a label map: NAME_label.png, or anything in labels/."""
    return name.lower().endswith("_label.png") or "labels" in PurePosixPath(name).parts[:-1]


def _stem(name: str) -> str:
    """ "a/b.jpg" -> "a/b"."""
    return PurePosixPath(name).with_suffix("").as_posix()
