"""Photographs that `scan_jax.prepare` made ready beforehand: any dataset of its making."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import ParseError
from google.protobuf.message import Error

from scan_jax.core.config import bind, did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.data.api import DataSplits, Photo
from scan_jax.data.decode import square
from scan_jax.data.photo_folder import evenly_spaced
from scan_jax.data.pipeline import PhotoMemory
from scan_jax.images.labels import resize as resize_labels


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of a prepared dataset.

    Attributes:
      dataset: its name, as `scan_jax.prepare` prints it, such as "photo_folder/faces-64".
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
        raise UserError(f"config.data.dataset is NAME/CONFIG, as scan_jax.prepare prints it, not {settings.dataset!r}")
    command = f"python -m scan_jax prepare {name} --source=... --size={settings.size}"
    dataset = find(settings.data_dir, name, config, command)
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
        except UNREADABLE as error:
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
            photo["labels"] = resize_labels(photo["labels"], (self._size, self._size)).astype(np.uint8)
        return photo | {"image": square(photo["image"], self._size)}


VERSION = "1.0.0"
FORMAT = 1  # of the metadata below
Record = Mapping[str, Any]  # arrays as NumPy's, "name" as bytes
# What reading a damaged record raises: ArrayRecord's own, protocol buffers', and those of the pictures inside.
UNREADABLE = (RuntimeError, OSError, ValueError, IndexError, TypeError, Error)


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """A dataset on disk.

    Attributes:
      folder: where it lies.
      name: such as "celeba_hq/256".
      splits: records of each split, decoded when they are asked for; safe to share between threads, and picklable.
      digests: SHA-256 (hex) of each split's names and pixels.
      split: the split's name.
      split_digest: SHA-256 (hex) of who is in which split.
      label_names: of the classes; empty without labels.
      flip_pairs: labels that change places when a photograph is flipped.
      shapes: of each array of a record; None for sides that differ.
      least_side: of all photographs, pixels.
    """

    folder: Path
    name: str
    splits: Mapping[str, Sequence[Record]]
    digests: Mapping[str, str]
    split: str
    split_digest: str
    label_names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    shapes: Mapping[str, tuple[int | None, ...]]
    least_side: int


def default_data_dir() -> Path:
    """Where datasets are where nobody says: $TFDS_DATA_DIR, or ~/tensorflow_datasets as TFDS has it."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def dataset_folder(data_dir: str | os.PathLike[str], dataset: str, config: str) -> Path:
    """Where a dataset lies in `data_dir` (empty for the default one)."""
    root = Path(data_dir).expanduser() if data_dir else default_data_dir()
    return root / dataset / config / VERSION


def find(data_dir: str, dataset: str, config: str, command: str) -> PreparedDataset:
    """The dataset of that name.

    Args:
      data_dir: of all datasets; empty for the default one.
      dataset: such as "celeba_hq".
      config: such as "256".
      command: that would build it, for the message.

    Raises:
      UserError: it was not built; the message says which were, and the command.
    """
    folder = dataset_folder(data_dir, dataset, config)
    if not folder.is_dir():
        others = sorted(other.parent.name for other in folder.parents[1].glob(f"*/{VERSION}"))
        there = f" (there: {', '.join(others)})" if others else ""
        raise UserError(f"no prepared {dataset}/{config} in {folder.parents[2]}{there}; build it: {command}")
    return load(folder)


def load_metadata(folder: Path) -> Mapping[str, Any]:
    """What the builder wrote down besides TFDS's own; empty where it wrote nothing."""
    try:
        return json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def load(folder: Path) -> PreparedDataset:
    """The dataset in `folder`.

    Raises:
      UserError: there is none, or another program wrote it.
    """
    import tensorflow_datasets as tfds  # heavy, and only those with prepared data need it

    try:
        builder = tfds.builder_from_directory(folder)
        splits = {split: builder.as_data_source(split) for split in builder.info.splits}
    except (OSError, ValueError, AssertionError, ParseError, tfds.core.DatasetNotFoundError) as error:
        raise UserError(f"{folder} is no dataset that can be read: {error}; build it with scan_jax.prepare") from error
    told = load_metadata(folder)
    if told.get("format") != FORMAT:
        raise UserError(f"{folder} was not built by this version of scan_jax.prepare; build it again")
    return PreparedDataset(
        folder=folder,
        name="/".join(folder.parts[-3:-1]),
        splits=splits,
        digests=told["digests"],
        split=told["split"],
        split_digest=told["split_digest"],
        label_names=tuple(told["label_names"]),
        flip_pairs=tuple((left, right) for left, right in told["flip_pairs"]),
        shapes={name: tuple(shape) for name, shape in told["arrays"].items()},
        least_side=told.get("least_side") or told["arrays"].get("image", (0,))[0],
    )
