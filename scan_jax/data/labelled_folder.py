"""Photographs with semantic label maps from any folder: which belong together, its splits, and what they hold."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

import numpy as np

from scan_jax.core.bounds import Classes
from scan_jax.core.errors import UserError, counted
from scan_jax.data.api import DataSplits, Photo, PhotoSource
from scan_jax.data.files import LABEL, File, open_images, stem
from scan_jax.data.photo_folder import Folder, digest
from scan_jax.images import labels as label_map
from scan_jax.images.square import Crop, square, square_labels

log = logging.getLogger(__name__)

LabelSize = Literal["equal", "any"]
BLURRED = (".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".heic", ".heif")
LAYOUTS = "NAME_label.png beside NAME.jpg (or another kind), or images/NAME.jpg with labels/NAME.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledFolder(Folder):
    """`config.data` of a folder of photographs with label maps.

    `path` has `NAME_label.png` beside `NAME.jpg`, or `images/` and `labels/` with equal names, at any depth. Where all
    of it lies in folders `train` and `val` or `test`, those are the splits; where there are both, `val` is held out
    and `test` is for `held_out_path`, a folder of the same kind.
    """

    num_labels: Classes  # classes; labels are 0 to one less
    crop: Crop = "centre"  # "centre", the largest centred square, or "stretch", all of the photograph
    # "equal" demands label maps of their photographs' size, "any" resizes them to it by nearest neighbour
    label_size: LabelSize = "equal"
    # labels that change places when a photograph is flipped: ((4, 5), (6, 7), (8, 9)) for CelebAMask-HQ's
    flip_pairs: tuple[tuple[int, int], ...] = ()

    def open_splits(self) -> DataSplits:
        """Reads every photograph and label map once, to know that they can be used, and splits the folder.

        UserError as of `Folder`, and where a photograph has no label map, or a label map another size, colours or a
        label above the class count.
        """
        check_classes(self.num_labels, self.flip_pairs)
        return super().open_splits()

    def find(self, source: str, where: str) -> list[Pair]:
        """The photographs with their label maps."""
        return pair_up(open_images(source, where), source)

    def verify(self, pair: Pair) -> None:
        """Reads both files; a label map that decodes to something else than the classes is refused."""
        self._read_labels(pair, pair.verify())

    @property
    def rules(self) -> str:
        """What label maps are verified by."""
        return f"labels {self.num_labels} {self.label_size}"

    def source(self, name: str, pairs: Sequence[Pair]) -> PhotoSource:
        """Squares of the pairs."""
        files = itertools.chain.from_iterable((pair, pair.labels) for pair in pairs)
        key = digest(files, f"{self.size} {self.crop} {self.num_labels} labels")
        return PhotoSource(name, key, pairs, self.read, flip_pairs=self.flip_pairs, num_labels=self.num_labels)

    def read(self, pair: Pair, section: str = "--config.data.") -> Photo:
        """ "image" uint8 [S,S,3] and "labels" uint8 [S,S], from the same crop; `section` is how flags begin.

        UserError where the label map has another size, colours, or a label above the class count; one of DECODE_ERRORS
        where the photograph or, which is named, the label map does not decode.
        """
        image = pair.read_image()  # [H,W,3]
        labels = self._read_labels(pair, image.shape, section)  # [H,W]
        return {
            "image": square(image, self.size, self.crop),  # [S,S,3]
            "labels": square_labels(labels, self.size, self.crop),  # [S,S]
        }

    def _read_labels(self, pair: Pair, shape: tuple[int, ...], section: str = "--config.data.") -> np.ndarray:
        """The label map at its photograph's shape (H, W, ...), int32 [H,W]."""
        labels, name = pair.labels.read_labels(), f"the label map {pair.labels.name}"
        label_map.check(labels, self.num_labels, name)
        if labels.shape == shape[:2]:
            return labels
        if self.label_size == "any":
            return label_map.resize_like(labels, shape[:2], name)
        raise UserError(
            f"{name} is {label_map.size_text(labels.shape)}, its photograph {label_map.size_text(shape)}; make them "
            f"equal, or have label maps resized by nearest neighbour with {section}label_size=any"
        )


def check_classes(num_labels: int, flip_pairs: Sequence[tuple[int, int]], section: str = "config.data.") -> None:
    """Refuses class counts that bytes cannot hold, and pairs of classes that are not there, by a UserError."""
    if not 1 <= num_labels <= 256:  # labels are kept in bytes
        raise UserError(f"{section}num_labels must be from 1 to 256, not {num_labels}")
    flipped = [label for pair in flip_pairs for label in pair]
    if len(set(flipped)) < len(flipped) or any(not 0 <= label < num_labels for label in flipped):
        raise UserError(
            f"{section}flip_pairs must name each label once, from 0 to {num_labels - 1}, not {tuple(flip_pairs)}"
        )


@dataclasses.dataclass(frozen=True)
class Pair(File):
    """A photograph with its label map."""

    photograph: File
    labels: File

    def identity(self) -> str:
        """A line that is another one where either file has changed."""
        return self.photograph.identity() + self.labels.identity()

    def open(self) -> BinaryIO:
        """The photograph's bytes."""
        return self.photograph.open()


def pair_up(files: Sequence[File], folder: str) -> list[Pair]:
    """Every photograph among the image files with its label map, in their order; `folder` is for messages.

    UserError where there are no photographs or no label maps, or a photograph without one, which is named.
    """
    maps = {stem(file.name): file for file in files if _is_label_map(file.name)}
    photographs = [file for file in files if not _is_label_map(file.name)]
    labels = {file.name: _label_map(file.name, maps) for file in photographs}
    found = {name: file for name, file in labels.items() if file is not None}
    missing = [name for name in labels if name not in found]
    if not photographs or len(missing) == len(photographs):
        there = f"{counted(len(photographs), 'photograph')}, {counted(len(maps), 'label map')}"
        raise UserError(
            f"no photograph with a label map in {folder} ({there}); "
            f"put {LAYOUTS}; photographs without labels are for --config.data.name=photo_folder"
        )
    if missing:
        has = "has" if len(missing) == 1 else "have"
        raise UserError(
            f"{len(missing)} of {counted(len(photographs), 'photograph')} in {folder} {has} no label map: "
            f"{', '.join(missing[:3])}; remove them, or put {LAYOUTS}"
        )
    pairs = [Pair(file.name, file.path, file.size, file.changed, file, found[file.name]) for file in photographs]
    unused = len(maps) - len({pair.labels.name for pair in pairs})
    if unused:
        told = counted(unused, "label map belongs", "label maps belong")
        log.warning("%s to no photograph, in %s", told, folder)
    return pairs


def _label_map(name: str, maps: Mapping[str, File]) -> File | None:
    """The label map of the photograph `name`, if there is one: beside it, or in labels/ where it is in images/."""
    base, folders = stem(name), PurePosixPath(name).parts[:-1]
    beside = maps.get(f"{base}{LABEL}")
    if beside is not None or "images" not in folders:
        return beside
    place = folders.index("images")
    return maps.get(PurePosixPath(*folders[:place], "labels", *PurePosixPath(base).parts[place + 1 :]).as_posix())


def _is_label_map(name: str) -> bool:
    """Whether a name is of a label map: NAME_label of a kind that blurs no classes, or anything in labels/."""
    path = PurePosixPath(name)
    beside = path.stem.lower().endswith(LABEL) and path.suffix.lower() not in BLURRED
    return beside or "labels" in path.parts[:-1]
