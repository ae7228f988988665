"""Photographs with semantic label maps, from any folder."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.data.api import DataSplits, Photo
from scan_jax.data.label_pairs import Pair, find_pairs, split_by_folder
from scan_jax.data.photo_folder import (
    BY_FOLDER,
    BY_NAME,
    digest,
    evenly_spaced,
    existing_folder,
    file_split,
    outside,
    set_aside,
    without_broken,
)
from scan_jax.data.pipeline import PhotoMemory
from scan_jax.images import labels as label_map
from scan_jax.images.decode import verify_image
from scan_jax.images.square import Crop, square, square_labels

MAX_LABELS = 256  # labels are kept in bytes
LabelSize = Literal["equal", "any"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of a folder of photographs with label maps.

    Attributes:
      path: the folder: `NAME_label.png` beside `NAME.jpg`, or `images/` and `labels/` with equal names, at any depth.
        Where all of it lies in folders `train` and `val` or `test`, those are the splits; where there are both, `val`
        is held out and `test` is for `held_out_path`.
      size: height and width of the squares, pixels.
      num_labels: classes; labels are 0 to one less.
      held_out_path: photographs to measure on, in a folder of the same kind.
      held_out: how many to measure on. Of a folder of their own: evenly spaced over the sorted names, all for 0. Of
        `path`, where it has no splits: at most a tenth, chosen by a hash of the name.
      crop: "centre", the largest centred square, or "stretch", all of the photograph.
      label_size: "equal" demands label maps of their photographs' size, "any" resizes them to it by nearest neighbour.
      flip_pairs: labels that change places when a photograph is flipped: ((4, 5), (6, 7), (8, 9)) for CelebAMask-HQ's.
    """

    path: str
    size: int
    num_labels: int
    held_out_path: str = ""
    held_out: int = 500
    crop: Crop = "centre"
    label_size: LabelSize = "equal"
    flip_pairs: tuple[tuple[int, int], ...] = ()


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """Reads every photograph and label map once, to know that they can be used, and splits the folder.

    Raises:
      UserError: a folder is missing or empty, a photograph has no label map, a label map has another size, colours or a
        label above the class count, too many files are broken, or a setting makes no sense.
    """
    settings = bind(section, Settings, "config.data")
    if settings.size <= 0 or settings.held_out < 0:
        raise UserError(f"config.data: size must be positive and held_out not negative, not {settings}")
    check_classes(settings.num_labels, settings.flip_pairs)
    folder = existing_folder(settings.path, "config.data.path")
    train, held_out = split_by_folder(find_pairs(folder))
    held_out_folder = folder
    if settings.held_out_path:
        held_out_folder = existing_folder(settings.held_out_path, "config.data.held_out_path")
        held_out = find_pairs(held_out_folder)
        train = outside(train, folder, held_out_folder)
    train = _usable(train, folder, settings)
    split = BY_FOLDER if held_out else BY_NAME
    if held_out:
        held_out = _usable(held_out, held_out_folder, settings)
        held_out = evenly_spaced(held_out, settings.held_out or len(held_out))
    else:
        train, held_out = set_aside(train, settings.held_out)
    title = file_split(split, train, held_out).title
    return DataSplits(
        train=LabelledFolder(f"{folder.name}, {title}", train, settings),
        held_out=LabelledFolder(f"{held_out_folder.name}, held out, {title}", held_out, settings),
    )


class LabelledFolder:
    """A `PhotoSource` over photographs with label maps; decoded squares stay in memory."""

    def __init__(self, name: str, pairs: Sequence[Pair], settings: Settings) -> None:
        self.name = name
        files = itertools.chain.from_iterable((pair, pair.labels) for pair in pairs)
        self.digest = digest(files, f"{settings.size} {settings.crop} {settings.num_labels} labels")
        self.flip_pairs, self.num_labels = settings.flip_pairs, settings.num_labels
        self._pairs, self._settings = tuple(pairs), settings
        self._memory = PhotoMemory(self._decode)

    def __len__(self) -> int:
        return len(self._pairs)

    def title(self, index: int) -> str:
        """The photograph's name within the folder."""
        return self._pairs[index].name

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`: "image" uint8 [S,S,3] and "labels" uint8 [S,S], from the same crop."""
        return self._memory[index]

    def _decode(self, index: int) -> Photo:
        pair, settings = self._pairs[index], self._settings
        image = pair.read_image()  # [H,W,3]
        labels = read_labels(pair, image.shape, settings.num_labels, settings.label_size)  # [H,W]
        return {
            "image": square(image, settings.size, settings.crop),  # [S,S,3]
            "labels": square_labels(labels, settings.size, settings.crop),  # [S,S]
        }


def check_classes(num_labels: int, flip_pairs: Sequence[tuple[int, int]], section: str = "config.data.") -> None:
    """Refuses class counts that bytes cannot hold, and pairs of classes that are not there.

    Raises:
      UserError: it names the setting, whose name begins with `section`.
    """
    if not 1 <= num_labels <= MAX_LABELS:
        raise UserError(f"{section}num_labels must be from 1 to {MAX_LABELS}, not {num_labels}")
    flipped = [label for pair in flip_pairs for label in pair]
    if len(set(flipped)) < len(flipped) or any(not 0 <= label < num_labels for label in flipped):
        raise UserError(
            f"{section}flip_pairs must name each label once, from 0 to {num_labels - 1}, not {tuple(flip_pairs)}"
        )


def _usable(pairs: Sequence[Pair], folder: Path, settings: Settings) -> list[Pair]:
    """The pairs that decode; a label map that decodes to something else than the classes is refused."""

    def verify(pair: Pair) -> None:
        read_labels(pair, verify_image(pair.path), settings.num_labels, settings.label_size)

    return without_broken(pairs, folder, verify, f"labels {settings.num_labels} {settings.label_size}")


def read_labels(
    pair: Pair, shape: tuple[int, ...], num_labels: int, label_size: LabelSize, section: str = "--config.data."
) -> np.ndarray:
    """The pair's label map at its photograph's shape, int32 [H,W].

    Args:
      pair: a photograph and its label map.
      shape: the photograph's, (H, W, ...).
      num_labels: classes.
      label_size: "equal" demands a label map of this shape, "any" resizes it by nearest neighbour.
      section: how the flag for that begins.

    Raises:
      UserError: it has another size, colours, or a label above the class count.
      OSError: it is truncated or no image; it is named.
    """
    labels, name = pair.labels.read_labels(), f"the label map {pair.labels.name}"
    label_map.check(labels, num_labels, name)
    if labels.shape == shape[:2]:
        return labels
    if label_size == "any":
        return label_map.resize_like(labels, shape[:2], name)
    raise UserError(
        f"{name} is {label_map.size_text(labels.shape)}, its photograph {label_map.size_text(shape)}; make them equal, "
        f"or have label maps resized by nearest neighbour with {section}label_size=any"
    )
