"""Irregular masks (Liu et al. 2018), or any folder of hole masks, as a dataset: white = hole, black and white only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.data.photo_folder import BY_FOLDER, File
from scan_jax.data.preparation.archive import open_images
from scan_jax.data.preparation.plan import Arrays, Plan, check_name, check_size, flag, items_of
from scan_jax.data.split_list import SplitList, split_of
from scan_jax.images.decode import SUFFIXES
from scan_jax.images.hole import HoleColor, binarise, read_grey, resize_nearest

TRAIN_FOLDERS = ("disocclusion_img_mask", "irregular_mask", "train")  # of the authors' training archive


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chooses."""

    source: str = flag("the authors' archives (irregular_mask.zip, test_mask.zip), unpacked or not, or any masks")
    name: str = flag("what to call masks of your own", "")
    size: int = flag("height and width, pixels; by nearest neighbour", 512)
    hole_color: HoleColor = flag("what the source's files have in the hole", "white")
    allow_missing: int = flag("broken masks to do without", 0)


def plan(settings: Settings) -> Plan:
    """The masks of the source; training and test masks are told apart by the authors' folders.

    Without training masks the even ones, by name, are to train with and the odd ones to measure with.

    Raises:
      UserError: there are none.
    """
    check_size(settings.size)
    files = open_images(settings.source)
    if len(files) < 2:
        raise UserError(f"--source: no mask images ({', '.join(SUFFIXES)}) in {settings.source}; two are the fewest")
    split, parts = _split(files)
    if settings.name:
        check_name(settings.name)
    return Plan(
        dataset="irregular_masks",
        config=f"{settings.name}-{settings.size}" if settings.name else str(settings.size),
        description=f"{settings.name or 'Irregular'} hole masks, white = hole, {settings.size}x{settings.size}.",
        homepage="https://github.com/NVIDIA/partialconv",
        arrays={"hole": (settings.size, settings.size)},
        splits={
            part: items_of(some, _make, size=settings.size, color=settings.hole_color) for part, some in parts.items()
        },
        split=split,
        allow_missing=settings.allow_missing,
        rules=f"size={settings.size} hole_color={settings.hole_color}",
        found=(f"found {len(files):,} masks in {settings.source}",),
        section="holes",
        usage={"name": "irregular_masks", "stored_size": settings.size}
        | ({"set_name": settings.name} if settings.name else {}),
    )


def _split(files: Sequence[File]) -> tuple[SplitList, dict[str, Sequence[File]]]:
    training = [file for file in files if _is_to_train(file.name)]
    others = [file for file in files if not _is_to_train(file.name)]
    both = bool(training and others)
    train, test = (training, others) if both else (files[0::2], files[1::2])
    parts: dict[str, Sequence[File]] = {"train": train, "test": test}
    name = BY_FOLDER if both else "every_second"
    return split_of(name, **{part: (file.name for file in some) for part, some in parts.items()}), parts


def _is_to_train(name: str) -> bool:
    return not set(TRAIN_FOLDERS).isdisjoint(PurePosixPath(name).parts[:-1])


def _make(file: File, size: int, color: HoleColor) -> Arrays:
    """The hole in the file, 255 where it is, binarised after the resize."""
    with file.open() as opened:
        grey = read_grey(opened)  # [H,W]
    hole = binarise(resize_nearest(grey, size), color)  # [S,S]
    return {"hole": np.where(hole, np.uint8(255), np.uint8(0))}
