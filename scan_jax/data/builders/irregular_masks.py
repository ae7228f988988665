"""Irregular masks (Liu et al. 2018), or any folder of hole masks, as a dataset: white = hole, black and white only."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

import numpy as np

from scan_jax.core.errors import UserError, counted
from scan_jax.core.split_folders import split_of
from scan_jax.data.files import File, open_images
from scan_jax.data.photo_folder import BY_FOLDER, file_split
from scan_jax.data.preparation.plan import Arrays, Plan, SquareSettings, check_name, flag, items_of
from scan_jax.images.hole import HoleColor, binarise, read_grey, refuse_grey, resize_nearest

TRAIN_FOLDERS = ("disocclusion_img_mask", "irregular_mask")  # of the authors' training archive


@dataclasses.dataclass(frozen=True, kw_only=True)
class IrregularMasks(SquareSettings):
    """Irregular masks (Liu et al. 2018), or any folder of hole masks: white = hole, black and white only."""

    source: str = flag("the authors' archives (irregular_mask.zip, test_mask.zip), unpacked or not, or any masks")
    name: str = flag("what to call masks of your own", "")
    size: int = flag("height and width, pixels; by nearest neighbour", 512)
    hole_color: HoleColor = flag("what the source's files have in the hole", "white")
    allow_missing: int = flag("broken masks to do without", 0)

    def plan(self) -> Plan:
        """The masks of the source; training and test masks are told apart by the authors' folders.

        Without training masks the even ones, by name, are to train with and the odd ones to measure with. UserError
        where there is no mask.
        """
        files = open_images(self.source)
        if len(files) < 2:
            raise UserError(f"--source: a single mask in {self.source}; two are the fewest")
        to_train = [_is_to_train(file.name) for file in files]
        by_folder = any(to_train) and not all(to_train)
        if not by_folder:
            to_train = [number % 2 == 0 for number in range(len(files))]
        parts = {
            part: [file for file, training in zip(files, to_train) if training == (part == "train")]
            for part in ("train", "test")
        }
        own = {"set_name": check_name(self.name)} if self.name else {}
        return Plan(
            dataset="irregular_masks",
            config=f"{self.name}-{self.size}" if self.name else str(self.size),
            description=f"{self.name or 'Irregular'} hole masks, white = hole, {self.size}x{self.size}.",
            homepage="https://github.com/NVIDIA/partialconv",
            arrays={"hole": (self.size, self.size)},
            splits=items_of(parts, _make, size=self.size, color=self.hole_color),
            split=file_split(BY_FOLDER if by_folder else "every_second", parts),
            allow_missing=self.allow_missing,
            rules=f"size={self.size} hole_color={self.hole_color}",
            found=(f"found {counted(len(files), 'mask')} in {self.source}",),
            section="holes",
            usage={"name": "irregular_masks", "stored_size": self.size} | own,
        )


def _is_to_train(name: str) -> bool:
    return split_of(name) == "train" or not set(TRAIN_FOLDERS).isdisjoint(PurePosixPath(name).parts[:-1])


def _make(file: File, size: int, color: HoleColor) -> Arrays:
    """The hole in the file, 255 where it is, binarised after the resize."""
    with file.open() as opened:
        grey = refuse_grey(read_grey(opened))  # [H,W]
    hole = binarise(resize_nearest(grey, size), color)  # [S,S]
    return {"hole": np.where(hole, np.uint8(255), np.uint8(0))}
