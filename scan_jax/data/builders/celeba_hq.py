"""CelebA-HQ (Karras et al. 2018): 30,000 portraits, from any of the copies that are handed around."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

from scan_jax.core.errors import UserError
from scan_jax.data.builders.photo_folder import make_square
from scan_jax.data.photo_folder import File
from scan_jax.data.preparation.archive import open_source
from scan_jax.data.preparation.plan import Item, Plan, check_size, flag
from scan_jax.data.split_list import SplitList, read_split
from scan_jax.images.decode import SUFFIXES

log = logging.getLogger(__name__)

MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
IMAGES = "CelebA-HQ-img"  # of the official CelebAMask-HQ archive
COUNT = 30_000
_MAPPING_ROW = re.compile(r"(\d+)\s+\d+\s+(\d+)\.jpg")
_ANNOTATIONS = re.compile(r"(?<!celeba)mask|label|anno", re.IGNORECASE)  # in the names of folders


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chooses."""

    source: str = flag("CelebAMask-HQ.zip, its unpacked folder, or any folder, zip or list of photographs by number")
    size: int = flag("height and width, pixels", 256)
    split: str = flag("celebahq_28k_2k, celeba_partition, or a text file of your own", "celebahq_28k_2k")
    allow_missing: int = flag("broken or missing photographs to do without", 0)


def plan(settings: Settings) -> Plan:
    """The photographs by number.

    Raises:
      UserError: there are none, a number occurs twice, or the split needs a file that is not there.
    """
    check_size(settings.size)
    files = open_source(settings.source)
    photographs = find_photographs(files, settings.source)
    split = read_numbered_split(settings.split, files)
    make = partial(make_square, size=settings.size)
    items = {number: Item(number, file.identity(), partial(make, file)) for number, file in photographs.items()}
    return Plan(
        dataset="celeba_hq",
        config=config_name(settings.size, settings.split),
        description="CelebA-HQ: 30,000 aligned portraits, resized by averaging areas.",
        homepage="https://github.com/tkarras/progressive_growing_of_gans",
        arrays={"image": (settings.size, settings.size, 3)},
        splits=by_split(split, items),
        split=split,
        missing=missing(split, items),
        allow_missing=settings.allow_missing,
        rules=f"size={settings.size}",
        found=(f"found {len(photographs):,} photographs in {settings.source}",),
        usage={"name": "celeba_hq", "size": settings.size} | split_usage(settings.split),
    )


def find_photographs(files: Sequence[File], source: str) -> dict[str, File]:
    """CelebA-HQ's photographs by number, "0" to "29999".

    Copies numbered from 1 to 30,000 are counted from 0, as the official archive does.

    Raises:
      UserError: there is none, or a number occurs twice.
    """
    images = [file for file in files if PurePosixPath(file.name).suffix.lower() in SUFFIXES]
    official = [file for file in images if IMAGES in PurePosixPath(file.name).parts]
    others = [file for file in images if not is_annotation(file.name)]
    numbered: dict[int, File] = {}
    for file in official or others:
        name = PurePosixPath(file.name).stem
        if not re.fullmatch(r"\d+", name):
            continue
        if int(name) in numbered:
            raise UserError(f"photograph {int(name)} is there twice: {numbered[int(name)].name} and {file.name}")
        numbered[int(name)] = file
    if not numbered:
        raise UserError(
            f"--source: no photographs by number ({IMAGES}/0.jpg, 00000.png, ...) in {source}; give CelebAMask-HQ.zip "
            "or a folder of CelebA-HQ"
        )
    first = 1 if 0 not in numbered and COUNT in numbered else 0
    if first:
        log.info("photographs are numbered from 1: photograph 1 is taken for number 0")
    return {str(number - first): file for number, file in sorted(numbered.items())}


def is_annotation(name: str) -> bool:
    """Whether a file lies in a folder of label maps, by the names that these have; CelebAMask-HQ itself is none."""
    return any(_ANNOTATIONS.search(part) for part in PurePosixPath(name).parts[:-1])


def read_numbered_split(name: str, files: Iterable[File]) -> SplitList:
    """A split of CelebA-HQ, by way of the source's mapping to CelebA's numbers where it has one."""
    mapping = next((file for file in files if PurePosixPath(file.name).name == MAPPING), None)
    return read_split(name, _read_mapping(mapping) if mapping else None)


def _read_mapping(file: File) -> dict[str, str]:
    """CelebA-HQ's numbers to CelebA's.

    Raises:
      UserError: it is another file.
    """
    with file.open() as opened:
        lines = opened.read().decode("utf-8", errors="replace").split("\n")[1:]  # the first names the columns
    rows = [_MAPPING_ROW.fullmatch(line.strip()) for line in lines if line.strip()]
    if not rows or None in rows:
        raise UserError(f"{file.name} is not CelebA-HQ's mapping: lines of idx, orig_idx and orig_file are expected")
    return {str(int(row[1])): str(int(row[2])) for row in rows if row}


def by_split(split: SplitList, items: Mapping[str, Item]) -> dict[str, list[Item]]:
    """The items that are there, in the split's order."""
    return {part: [items[number] for number in names if number in items] for part, names in split.members.items()}


def missing(split: SplitList, items: Mapping[str, Item]) -> tuple[str, ...]:
    """The numbers that the split knows and the source has not."""
    return tuple(number for names in split.members.values() for number in names if number not in items)


def config_name(size: int, split: str) -> str:
    """The folder's name: the size, and the split where it is not the papers'."""
    return str(size) if split == Settings.split else f"{size}-{PurePosixPath(split).stem}"


def split_usage(split: str) -> dict[str, str]:
    """The config's key for a split that is not the papers'."""
    return {} if split == Settings.split else {"split": PurePosixPath(split).stem}
