"""A dataset of any photographs, squared and resized once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.data.photo_folder import BY_NAME, AnyFile, File, file_split, set_aside, stem, without_label_maps
from scan_jax.data.preparation.archive import open_images
from scan_jax.data.preparation.plan import Arrays, Plan, check_name, check_size, flag, items_of
from scan_jax.data.split_list import SplitList, name_ranges, read_split
from scan_jax.images.decode import SUFFIXES
from scan_jax.images.square import Crop, square


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chooses."""

    source: str = flag("a folder of photographs at any depth, a zip archive of one, or a text file of paths")
    name: str = flag("what to call the dataset; the source's name by default", "")
    size: int = flag("height and width, pixels", 256)
    crop: Crop = flag("centre: the largest centred square; stretch: all of the photograph", "centre")
    split: str = flag("a text file of lines such as `train a/b.jpg` and `test c.jpg`", "")
    held_out: int = flag("without a split: how many to set aside for measuring, by a hash of the name", 500)
    allow_missing: int = flag("broken or missing photographs to do without", 0)


def plan(settings: Settings) -> Plan:
    """The photographs of the source.

    Raises:
      UserError: there are none, the split names others, or a setting makes no sense.
    """
    check_size(settings.size)
    files = open_images(settings.source)
    if not files:
        raise UserError(f"--source: no photographs ({', '.join(SUFFIXES)}) in {settings.source}")
    files = without_label_maps(files)
    split, parts, missing = split_files(files, settings.split, settings.held_out)
    name = check_name(settings.name or Path(settings.source).resolve().stem)
    return Plan(
        dataset="photo_folder",
        config=f"{name}-{settings.size}",
        description=f"Photographs of {name}, {settings.size}x{settings.size}.",
        homepage="",
        arrays={"image": (settings.size, settings.size, 3)},
        splits={
            part: items_of(some, make_square, size=settings.size, crop=settings.crop) for part, some in parts.items()
        },
        split=split,
        missing=missing,
        allow_missing=settings.allow_missing,
        rules=f"size={settings.size} crop={settings.crop}",
        found=(f"found {len(files):,} photographs in {settings.source}",),
        usage={"name": "prepared", "dataset": f"photo_folder/{name}-{settings.size}", "size": settings.size},
    )


def split_files(
    files: Sequence[AnyFile], split: str, held_out: int
) -> tuple[SplitList, Mapping[str, Sequence[AnyFile]], tuple[str, ...]]:
    """Files by split: as a split's text file has it, else some set aside by a hash of the name.

    Args:
      files: of the source; a split may name them with or without suffix.
      split: a name or path for `read_split`, or nothing.
      held_out: how many to set aside, a tenth of all at most.

    Returns:
      The split, the files in each part, and the names that the split knows and the source has not.

    Raises:
      UserError: the split cannot be read or names none of the files, or nothing would be set aside.
    """
    if not split:
        if held_out < 1:
            raise UserError(f"--held_out must be positive, not {held_out}: training shows nothing without measuring")
        train, test = set_aside(files, held_out)
        return file_split(BY_NAME, train, test), {"train": train, "test": test}, ()
    listed = read_split(split)
    by_name = {stem(file.name): file for file in files} | {file.name: file for file in files}
    found = {part: [by_name[name] for name in names if name in by_name] for part, names in listed.members.items()}
    missing = tuple(name for names in listed.members.values() for name in names if name not in by_name)
    if not any(found.values()):
        raise UserError(f"the split {listed.name} names none of {len(files)} photographs: {name_ranges(missing, 3)}")
    return listed, found, missing


def make_square(file: File, size: int, crop: Crop = "centre") -> Arrays:
    """The photograph as a square."""
    return {"image": square(file.read_image(), size, crop)}  # [S,S,3]
