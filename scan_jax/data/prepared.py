"""Photographs that `scan_jax prepare` made ready beforehand: any dataset of its making."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scan_jax.core import prepared
from scan_jax.core.config import bind, did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.prepared import PreparedDataset
from scan_jax.data.api import DataSplits, Photo
from scan_jax.data.photo_folder import evenly_spaced
from scan_jax.data.pipeline import PhotoMemory
from scan_jax.images.square import square, square_labels


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of a prepared dataset.

    Attributes:
      dataset: its name, as `scan_jax prepare` prints it, such as "photo_folder/faces-64".
      size: height and width that the network sees, pixels.
      data_dir: of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty.
      held_out: how many to measure on, evenly spaced; 0 for all.
      measure_on: the split to measure on; empty for "test", or "validation" where there is no other.
    """

    dataset: str
    size: int
    data_dir: str = ""
    held_out: int = 0
    measure_on: str = ""


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """The dataset's photographs.

    Raises:
      UserError: it was not prepared, has no photographs, or not the split.
    """
    settings = bind(section, Settings, "config.data")
    name, _, config = settings.dataset.partition("/")
    if not name or not config:
        raise UserError(f"config.data.dataset is NAME/CONFIG, as scan_jax prepare prints it, not {settings.dataset!r}")
    command = f"python -m scan_jax prepare {name} --source=... --size={settings.size}"
    dataset = prepared.find(settings.data_dir, name, config, command)
    return split_photographs(dataset, settings.size, settings.held_out, settings.measure_on)


def split_photographs(dataset: PreparedDataset, size: int, held_out: int, measure_on: str) -> DataSplits:
    """The dataset's training photographs as they are stored, and those to measure on as squares of `size`.

    Raises:
      UserError: the dataset has no photographs, smaller ones, or not the split.
    """
    if size <= 0 or held_out < 0:
        raise UserError(f"config.data: size must be positive and held_out not negative, not {size} and {held_out}")
    if dataset.least_side < size:
        raise UserError(
            f"{dataset.folder} has photographs of {dataset.least_side} pixels a side, not {size}; prepare larger ones"
        )
    names = [name for name in dataset.splits if name != "train"]
    measure_on = measure_on or names[-1]
    if measure_on not in names:
        near = did_you_mean(measure_on, names)
        raise UserError(f"config.data.measure_on must be one of {names}, not {measure_on!r}{near}")
    count = len(dataset.splits[measure_on])
    chosen = evenly_spaced(range(count), held_out or count)
    return DataSplits(
        train=PreparedPhotos(dataset, "train", range(len(dataset.splits["train"])), None),
        held_out=PreparedPhotos(dataset, measure_on, chosen, size),
    )


def _digest(dataset: PreparedDataset, part: str, rows: Sequence[int], size: int | None) -> str:
    """The dataset's own for all of its photographs as they are stored; else that, which of them, and at what size."""
    whole = len(rows) == len(dataset.splits[part]) and size in (None, dataset.shapes["image"][0])
    told = f"{dataset.digests[part]} {size} {list(rows)}"
    return dataset.digests[part] if whole else hashlib.sha256(told.encode()).hexdigest()


class PreparedPhotos:
    """A `PhotoSource` over records on disk; decoded ones stay in memory while there is room."""

    def __init__(self, dataset: PreparedDataset, part: str, rows: Any, size: int | None) -> None:
        """Of their centres as squares of `size`, or, without one, of all that is stored."""
        self.name = f"{dataset.name} {part}, split {dataset.split} ({dataset.split_digest[:12]})"
        self.digest = _digest(dataset, part, rows, size)
        self.flip_pairs, self.num_labels = dataset.flip_pairs, len(dataset.label_names)
        self._records, self._rows, self._size = dataset.splits[part], rows, size
        self._folder = dataset.folder
        self._memory = PhotoMemory(self._read)

    def __len__(self) -> int:
        return len(self._rows)

    def title(self, index: int) -> str:
        """The record's number in its part."""
        return f"record {self._rows[index]}"

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`: "image" uint8 [H,W,3] and, where the dataset has them, "labels" uint8 [H,W]."""
        return self._memory[index]

    def _read(self, index: int) -> Photo:
        try:
            record = self._records[self._rows[index]]
        except prepared.UNREADABLE as error:
            raise UserError(
                f"{self._folder}: record {self._rows[index]} of {self.name} cannot be read ({error}); "
                f"python -m scan_jax prepare verify looks at the rest; remove it and build it again"
            ) from error
        photo = {"image": np.ascontiguousarray(record["image"])}  # [H,W,3]
        if self.num_labels:
            photo["labels"] = np.ascontiguousarray(record["labels"][..., 0], np.uint8)  # [H,W]
        if self._size is None:
            return photo
        if self.num_labels:  # squares
            photo["labels"] = square_labels(photo["labels"], self._size)
        return photo | {"image": square(photo["image"], self._size)}
