"""A dataset of any photographs with label maps, squared and resized once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from scan_jax.data.builders.photo_folder import split_files
from scan_jax.data.label_pairs import Pair, pair_up, splits_by_folder
from scan_jax.data.labelled_folder import LabelSize, check_classes, read_labels
from scan_jax.data.photo_folder import BY_FOLDER
from scan_jax.data.preparation.archive import open_images
from scan_jax.data.preparation.plan import Arrays, Plan, check_name, check_size, flag, items_of
from scan_jax.data.split_list import SplitList, split_of
from scan_jax.images.palette import part_names
from scan_jax.images.square import Crop, square, square_labels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chooses."""

    source: str = flag("a folder, zip or list with NAME_label.png beside NAME.jpg, or images/ and labels/")
    num_labels: int = flag("classes; a label map's values are 0 to one less")
    name: str = flag("what to call the dataset; the source's name by default", "")
    size: int = flag("height and width, pixels", 256)
    crop: Crop = flag("centre: the largest centred square; stretch: all of the photograph", "centre")
    label_size: LabelSize = flag("equal: as the photograph; any: resized by nearest neighbour", "equal")
    flip_pairs: tuple[tuple[int, int], ...] = flag("labels that change places when a photograph is flipped", ())
    split: str = flag("a text file of lines such as `train a/b.jpg` and `test c.jpg`", "")
    held_out: int = flag("without a split, or folders train and val or test: how many to set aside", 500)
    allow_missing: int = flag("broken or missing photographs to do without", 0)


def plan(settings: Settings) -> Plan:
    """The photographs of the source, each with its label map.

    Raises:
      UserError: a photograph has no label map, the split names others, or a setting makes no sense.
    """
    check_size(settings.size)
    check_classes(settings.num_labels, settings.flip_pairs, "--")
    pairs = pair_up(open_images(settings.source), settings.source)
    split, parts, missing = _split(pairs, settings)
    name = check_name(settings.name or Path(settings.source).resolve().stem)
    return Plan(
        dataset="labelled_folder",
        config=f"{name}-{settings.size}",
        description=f"Photographs of {name} with {settings.num_labels} classes, {settings.size}x{settings.size}.",
        homepage="",
        arrays={"image": (settings.size, settings.size, 3), "labels": (settings.size, settings.size)},
        splits={part: items_of(some, _make, settings=settings) for part, some in parts.items()},
        split=split,
        label_names=part_names(settings.num_labels),
        flip_pairs=settings.flip_pairs,
        missing=missing,
        allow_missing=settings.allow_missing,
        rules=f"size={settings.size} crop={settings.crop} num_labels={settings.num_labels}",
        found=(f"found {len(pairs):,} photographs with label maps in {settings.source}",),
        usage={"name": "prepared", "dataset": f"labelled_folder/{name}-{settings.size}", "size": settings.size},
    )


def _split(
    pairs: Sequence[Pair], settings: Settings
) -> tuple[SplitList, Mapping[str, Sequence[Pair]], tuple[str, ...]]:
    """By the split's text file, else by folders, else by a hash of the name."""
    parts = splits_by_folder(pairs)
    if settings.split or not parts:
        return split_files(pairs, settings.split, settings.held_out)
    return split_of(BY_FOLDER, **{part: (pair.name for pair in some) for part, some in parts.items()}), parts, ()


def _make(pair: Pair, settings: Settings) -> Arrays:
    image = pair.read_image()  # [H,W,3]
    labels = read_labels(pair, image.shape, settings.num_labels, settings.label_size, "--")  # [H,W]
    return {
        "image": square(image, settings.size, settings.crop),  # [S,S,3]
        "labels": square_labels(labels, settings.size, settings.crop),  # [S,S]
    }
