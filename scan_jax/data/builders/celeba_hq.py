"""CelebA-HQ from any of the copies that are handed around, and CelebAMask-HQ, which adds 19 classes."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError, counted
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.data.files import File, open_source
from scan_jax.data.label_orders import LabelOrder, reorder, warn_of_implausible
from scan_jax.data.preparation.plan import Arrays, Item, Plan, SquareSettings, flag, make_square
from scan_jax.data.split_list import SplitList, name_ranges, read_split
from scan_jax.data.synthetic_portraits import FLIP_PAIRS
from scan_jax.images import labels as label_map
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, load_orientation, opened, reason, turn_upright
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES
from scan_jax.images.square import square, square_labels

log = logging.getLogger(__name__)

PAPERS_SPLIT = "celebahq_28k_2k"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
IMAGES, ANNOTATIONS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"  # of the official CelebAMask-HQ archive
PER_FOLDER = 2000  # people
OWN: LabelOrder = "celebamask_hq"
LOOKED_AT = 32  # merged label maps, for their areas
COUNT = 30_000
PARTS = CELEBAMASK_HQ_NAMES[1:]  # later parts are painted over earlier ones
_MAPPING_ROW = re.compile(r"(\d+)\s+\d+\s+(\d+)\.jpg")
_ANNOTATIONS = re.compile(r"(?<!celeba)mask|label|anno", re.IGNORECASE)  # in the names of folders
_PART_FILE = re.compile(r"(\d{5})_(\w+)\.png")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CelebaHq(SquareSettings):
    """CelebA-HQ (Karras et al. 2018): 30,000 portraits, from any of the copies that are handed around."""

    source: str = flag("CelebAMask-HQ.zip, its unpacked folder, or any folder, zip or list of photographs by number")
    split: str = flag("celebahq_28k_2k, celeba_partition, or a text file of your own", PAPERS_SPLIT)
    allow_missing: int = flag("broken or missing photographs to do without", 0)

    def plan(self) -> Plan:
        """The photographs by number; a UserError for none, for one that comes twice, or if the split needs another."""
        files = open_source(self.source)
        photographs = find_photographs(files, self.source)
        make = partial(make_square, size=self.size)
        items = {number: Item(number, file.identity(), partial(make, file)) for number, file in photographs.items()}
        return self._plan(
            read_numbered_split(self.split, files),
            items,
            dataset="celeba_hq",
            description="CelebA-HQ: 30,000 aligned portraits, resized by averaging areas.",
            homepage="https://github.com/tkarras/progressive_growing_of_gans",
            arrays=self.arrays(),
            found=(f"found {counted(len(photographs), 'photograph')} in {self.source}",),
        )

    def _plan(self, split: SplitList, items: Mapping[str, Item], dataset: str, **fields: Any) -> Plan:
        """The items by split; the folder's name and the config's keys tell a split that is not the papers'."""
        own = {} if self.split == PAPERS_SPLIT else {"split": PurePosixPath(self.split).stem}
        return Plan(
            dataset=dataset,
            config="-".join([str(self.size), *own.values()]),
            splits=split.present(items),
            split=split,
            missing=split.missing(items),
            allow_missing=self.allow_missing,
            takes_split=True,
            usage={"name": dataset, "size": self.size} | own,
            **{"rules": f"size={self.size}"} | fields,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CelebaMaskHq(CelebaHq):
    """CelebAMask-HQ (Lee et al. 2020): CelebA-HQ with 19 classes, merged from masks of 18 parts."""

    label_order: LabelOrder = flag("of merged label maps: its authors' numbers, or face-parsing.PyTorch's", OWN)

    def plan(self) -> Plan:
        """The photographs with the masks of their parts, or with label maps that were merged before.

        UserError where photographs or masks are not there, a mask lies in another person's folder or has an unknown
        part, or an order is given for masks of parts, whose names tell.
        """
        files = open_source(self.source)
        photographs, labels = find_photographs(files, self.source), find_labels(files, self.source)
        split = read_numbered_split(self.split, files)
        _check_labels(photographs, labels, self.allow_missing)
        _check_order(labels, self.label_order)
        items = {
            number: Item(
                number,
                "".join(one.identity() for one in (file, *labels[number].values())),
                partial(_make, file, labels[number], self.size, self.label_order),
            )
            for number, file in photographs.items()
            if number in labels
        }
        return self._plan(
            split,
            items,
            dataset="celebamask_hq",
            description="CelebAMask-HQ: 30,000 aligned portraits with 19 classes, merged from masks of 18 parts.",
            homepage="https://github.com/switchablenorms/CelebAMask-HQ",
            arrays=self.arrays(labels=True),
            label_names=CELEBAMASK_HQ_NAMES,
            flip_pairs=FLIP_PAIRS,
            rules=f"size={self.size}" + ("" if self.label_order == OWN else f" label_order={self.label_order}"),
            found=(
                f"found {counted(len(photographs), 'photograph')} and the labels of {len(labels):,} in {self.source}",
            ),
        )


def find_photographs(files: Sequence[File], source: str) -> dict[str, File]:
    """CelebA-HQ's photographs by number, "0" to "29999".

    Copies numbered from 1 to 30,000 are counted from 0, as the official archive does.
    """
    images = [file for file in files if PurePosixPath(file.name).suffix.lower() in SUFFIXES]
    official = [file for file in images if IMAGES in PurePosixPath(file.name).parts]
    numbered: dict[int, File] = {}
    for file in official or [file for file in images if not is_annotation(file.name)]:
        if not re.fullmatch(r"\d+", name := PurePosixPath(file.name).stem):
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
    """CelebA-HQ's numbers to CelebA's."""
    with file.open() as opened:
        lines = opened.read().decode("utf-8", errors="replace").split("\n")[1:]  # the first names the columns
    rows = [_MAPPING_ROW.fullmatch(line.strip()) for line in lines if line.strip()]
    if not rows or None in rows:
        raise UserError(f"{file.name} is not CelebA-HQ's mapping: lines of idx, orig_idx and orig_file are expected")
    return {str(int(row[1])): str(int(row[2])) for row in rows if row}


Labels = Mapping[str, File]  # a person's masks by part, white where the part is; or one label map by the name MERGED
MERGED = "merged"


def read_labels(files: Labels) -> np.ndarray:
    """A person's label map, int32 [H,W]; of masks, later parts lie over earlier ones, in the official order."""
    if MERGED in files:
        return files[MERGED].read_labels()
    masks = {label: _read_part(files[part]) for label, part in enumerate(PARTS, start=1) if part in files}  # [H,W]
    merged = np.zeros(next(iter(masks.values())).shape, np.int32)
    for label, mask in masks.items():
        if mask.shape != merged.shape:
            shapes = " and ".join(map(label_map.size_text, (merged.shape, mask.shape)))
            raise UserError(f"{files[PARTS[label - 1]].name}: masks of one person are {shapes}; replace the odd one")
        merged[mask] = label
    return merged


def find_labels(files: Sequence[File], source: str) -> Mapping[str, Labels]:
    """Each person's labels by number, "0" to "29999"."""
    parts: dict[str, dict[str, File]] = {}
    merged: dict[str, dict[str, File]] = {}
    for file in files:
        path = PurePosixPath(file.name)
        match = _PART_FILE.fullmatch(path.name)
        if match:
            number, part = int(match[1]), match[2]
            _check_part(file.name, number, part)
            parts.setdefault(str(number), {})[part] = file
        elif path.suffix.lower() == ".png" and path.stem.isdigit() and is_annotation(file.name):
            merged[str(int(path.stem))] = {MERGED: file}
    if not parts and not merged:
        raise UserError(
            f"--source: the masks are missing: {source} has no {ANNOTATIONS}/0/00000_hair.png, ..., and no merged "
            "label maps labels/0.png, ...; give the whole of CelebAMask-HQ.zip"
        )
    return parts or merged


def _check_part(name: str, number: int, part: str) -> None:
    """Refuses a mask of an unknown part, or in a folder of other people's."""
    if part not in PARTS:
        raise UserError(f"{name}: {part!r} is no part of CelebAMask-HQ{did_you_mean(part, PARTS)}; remove or rename it")
    folder = PurePosixPath(name).parent.name
    if folder.isdigit() and int(folder) != number // PER_FOLDER:
        raise UserError(
            f"{name}: masks of person {number} belong in folder {number // PER_FOLDER}, not {folder}; the source is "
            "mixed up: unpack the archive again"
        )


def _check_labels(photographs: Mapping[str, File], labels: Mapping[str, Labels], allowed: int) -> None:
    """Refuses photographs without labels, naming the part of the archive that is not there."""
    bare = [number for number in photographs if number not in labels]
    if len(bare) <= allowed:
        return
    folders = {int(number) // PER_FOLDER for number in bare}
    gone = [str(k) for k in sorted(folders) if not any(int(number) // PER_FOLDER == k for number in labels)]
    part = f"; {ANNOTATIONS}/{name_ranges(gone)} is missing from the source" if gone else ""
    raise UserError(
        f"{counted(len(bare), 'photograph has', 'photographs have')} no masks: "
        f"{name_ranges(bare)}{part}; complete the source, or do without them: --allow_missing={len(bare)}"
    )


def _check_order(labels: Mapping[str, Labels], order: LabelOrder) -> None:
    """Refuses an order for masks of parts; warns where merged label maps, of which some are read, hardly have it."""
    if not any(MERGED in files for files in labels.values()):
        if order != OWN:
            raise UserError("--label_order is for merged label maps; these masks have names of parts: leave it out")
        return
    read = []
    for files in evenly_spaced(list(labels.values()), LOOKED_AT):
        with contextlib.suppress(*DECODE_ERRORS):  # of which the build itself speaks
            read.append(read_labels(files))
    warn_of_implausible(read, order)


def _read_part(file: File) -> np.ndarray:
    """A part's mask, bool [H,W]: whatever is not black."""
    try:
        with file.open() as stream, opened(stream) as image:
            orientation = load_orientation(image)
            return turn_upright(np.asarray(image.getchannel(0)) != 0, orientation)
    except DECODE_ERRORS as error:  # a person has many masks
        raise OSError(f"its mask {file.name}: {reason(error)}") from error


def _make(photograph: File, labels: Labels, size: int, order: LabelOrder) -> Arrays:
    """Photograph and labels, each resized from its own size; the official ones are 1024 and 512 pixels."""
    image = photograph.read_image()  # [H,W,3]
    classes = read_labels(labels)  # [h,w]
    name = f"the labels of {photograph.name}"
    label_map.check(classes, len(CELEBAMASK_HQ_NAMES), name)
    label_map.check_proportions(classes.shape, image.shape, name)
    classes = reorder(classes, order)
    return {"image": square(image, size), "labels": square_labels(classes, size)}
