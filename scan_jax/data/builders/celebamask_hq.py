"""CelebAMask-HQ (Lee et al. 2020): CelebA-HQ with 19 classes, merged from masks of 18 parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.data.builders import celeba_hq
from scan_jax.data.builders.celeba_hq import (
    by_split,
    config_name,
    find_photographs,
    is_annotation,
    missing,
    read_numbered_split,
    split_usage,
)
from scan_jax.data.photo_folder import File
from scan_jax.data.preparation.archive import open_source
from scan_jax.data.preparation.plan import Arrays, Item, Plan, check_size
from scan_jax.data.split_list import name_ranges
from scan_jax.images import labels as label_map
from scan_jax.images.decode import DECODE_ERRORS, load_orientation, opened, reason, turn_upright
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES
from scan_jax.images.square import square, square_labels

Settings = celeba_hq.Settings
ANNOTATIONS = "CelebAMask-HQ-mask-anno"
PER_FOLDER = 2000  # people
PARTS = CELEBAMASK_HQ_NAMES[1:]  # later parts are painted over earlier ones
FLIP_PAIRS = ((4, 5), (6, 7), (8, 9))  # eyes, brows, ears
_PART_FILE = re.compile(r"(\d{5})_(\w+)\.png")


def plan(settings: Settings) -> Plan:
    """The photographs with the masks of their parts, or with label maps that were merged before.

    Raises:
      UserError: photographs or masks are not there, a mask lies in another person's folder or has an unknown part.
    """
    check_size(settings.size)
    files = open_source(settings.source)
    photographs, labels = find_photographs(files, settings.source), find_labels(files, settings.source)
    split = read_numbered_split(settings.split, files)
    _check_labels(photographs, labels, settings)
    items = {
        number: _item(number, file, labels[number], settings.size)
        for number, file in photographs.items()
        if number in labels
    }
    return Plan(
        dataset="celebamask_hq",
        config=config_name(settings.size, settings.split),
        description="CelebAMask-HQ: 30,000 aligned portraits with 19 classes, merged from masks of 18 parts.",
        homepage="https://github.com/switchablenorms/CelebAMask-HQ",
        arrays={"image": (settings.size, settings.size, 3), "labels": (settings.size, settings.size)},
        splits=by_split(split, items),
        split=split,
        label_names=CELEBAMASK_HQ_NAMES,
        flip_pairs=FLIP_PAIRS,
        missing=missing(split, items),
        allow_missing=settings.allow_missing,
        rules=f"size={settings.size}",
        found=(f"found {len(photographs):,} photographs and the labels of {len(labels):,} in {settings.source}",),
        usage={"name": "celebamask_hq", "size": settings.size} | split_usage(settings.split),
    )


Labels = Mapping[str, File]  # a person's masks by part, white where the part is; or one label map by the name MERGED
MERGED = "merged"


def read_labels(files: Labels) -> np.ndarray:
    """A person's label map, int32 [H,W]; of masks, later parts lie over earlier ones, in the official order.

    Raises:
      UserError: the masks have several sizes, or the label map has colours.
      OSError: one is truncated or no image; it is named.
    """
    if MERGED in files:
        return files[MERGED].read_labels()
    masks = {label: _read_part(files[part]) for label, part in enumerate(PARTS, start=1) if part in files}  # [H,W]
    merged = np.zeros(next(iter(masks.values())).shape, np.int32)
    for label, mask in masks.items():
        if mask.shape != merged.shape:
            shapes = " and ".join(map(label_map.size_text, (merged.shape, mask.shape)))
            name = files[PARTS[label - 1]].name
            raise UserError(f"{name}: masks of one person are {shapes}; replace the odd one")
        merged[mask] = label
    return merged


def find_labels(files: Sequence[File], source: str) -> Mapping[str, Labels]:
    """Each person's labels by number, "0" to "29999".

    Raises:
      UserError: there are none, or a mask has an unknown part or lies in another person's folder.
    """
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


def _check_labels(photographs: Mapping[str, File], labels: Mapping[str, Labels], settings: Settings) -> None:
    """Refuses photographs without labels, naming the part of the archive that is not there."""
    bare = [number for number in photographs if number not in labels]
    if len(bare) <= settings.allow_missing:
        return
    folders = {int(number) // PER_FOLDER for number in bare}
    gone = [str(k) for k in sorted(folders) if not any(int(number) // PER_FOLDER == k for number in labels)]
    part = f"; {ANNOTATIONS}/{name_ranges(gone)} is missing from the source" if gone else ""
    raise UserError(
        f"{len(bare):,} photographs have no masks: {name_ranges(bare)}{part}; complete the source, or do without them: "
        f"--allow_missing={len(bare)}"
    )


def _read_part(file: File) -> np.ndarray:
    """A part's mask, bool [H,W]: whatever is not black.

    Raises:
      OSError: it does not decode; a person has many masks, so that the file is named.
    """
    try:
        with file.open() as stream, opened(stream) as image:
            orientation = load_orientation(image)
            return turn_upright(np.asarray(image.getchannel(0)) != 0, orientation)
    except DECODE_ERRORS as error:
        raise OSError(f"its mask {file.name}: {reason(error)}") from error


def _item(number: str, photograph: File, labels: Labels, size: int) -> Item:
    identity = "".join(file.identity() for file in (photograph, *labels.values()))
    return Item(number, identity, partial(_make, photograph, labels, size))


def _make(photograph: File, labels: Labels, size: int) -> Arrays:
    """Photograph and labels, each resized from its own size; the official ones are 1024 and 512 pixels."""
    image = photograph.read_image()  # [H,W,3]
    classes = read_labels(labels)  # [h,w]
    name = f"the labels of {photograph.name}"
    label_map.check(classes, len(CELEBAMASK_HQ_NAMES), name)
    label_map.check_proportions(classes.shape, image.shape, name)
    return {"image": square(image, size), "labels": square_labels(classes, size)}
