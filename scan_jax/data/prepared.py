"""Photographs that `scan-jax prepare` made ready beforehand: named datasets, and any of its making."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from scan_jax.core import prepared
from scan_jax.core.bounds import Size
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.prepared import PreparedDataset
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.data.api import DataSplits, Photo, PhotoSource
from scan_jax.images.square import Crop, square, square_labels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """The `config.data` keys of every prepared dataset."""

    size: Size  # height and width that the network sees, pixels
    data_dir: str = ""  # of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty
    held_out: int = 0  # how many to measure on, evenly spaced; 0 for all

    def _open(self, name: str, config: str, flags: str, measure_on: str = "") -> DataSplits:
        """The training photographs as they are stored, and those of a split to measure on as squares of `size`."""
        command = f"python -m scan_jax prepare {name} --source={flags}"
        dataset = prepared.find(self.data_dir, name, config, command)
        if (least := dataset.least_side) < self.size:
            raise UserError(
                f"{dataset.folder} has photographs of {least} pixels a side, not {self.size}; prepare larger ones"
            )
        names = [split for split in dataset.splits if split != "train"]
        measure_on = measure_on or names[-1]
        if measure_on not in names:
            near = did_you_mean(measure_on, names)
            raise UserError(f"config.data.measure_on must be one of {names}, not {measure_on!r}{near}")
        count = len(dataset.splits[measure_on])
        rows = evenly_spaced(range(count), self.held_out or count)
        return DataSplits(
            train=_photographs(dataset, "train", range(len(dataset.splits["train"])), None),
            held_out=_photographs(dataset, measure_on, rows, self.size),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared(Stored):
    """`config.data` of a prepared dataset."""

    dataset: str  # its name, as `scan_jax prepare` prints it, such as "photo_folder/faces-64"
    measure_on: str = ""  # the split to measure on; empty for "test", or "validation" where there is no other

    def open_splits(self) -> DataSplits:
        """The dataset's photographs; a UserError where it was not prepared, has smaller ones, or not the split."""
        name, _, config = self.dataset.partition("/")
        if not name or not config:
            raise UserError(f"config.data.dataset is NAME/CONFIG, as scan_jax prepare prints it, not {self.dataset!r}")
        return self._open(name, config, f"... --size={self.size}", self.measure_on)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CelebaHq(Stored):
    """`config.data` of CelebA-HQ."""

    stored_size: int = 0  # that the dataset was prepared at, to crop from; 0 where it is the same
    split: str = "celebahq_28k_2k"  # "celebahq_28k_2k", or another that the dataset was prepared with
    measure_on: str = ""  # the split to measure on; empty for "test"
    prepared_as: ClassVar[str] = "celeba_hq"

    def open_splits(self) -> DataSplits:
        """The prepared photographs; see `Prepared.open_splits` for errors."""
        config = str(self.stored_size or self.size)
        flags = f"ARCHIVE --size={config}"
        if self.split != CelebaHq.split:
            config, flags = f"{config}-{self.split}", f"{flags} --split={self.split}"
        return self._open(self.prepared_as, config, flags, self.measure_on)


class CelebaMaskHq(CelebaHq):
    """`config.data` of CelebAMask-HQ with its 19 classes; the keys are CelebA-HQ's."""

    prepared_as = "celebamask_hq"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParisStreetView(Stored):
    """`config.data` of Paris StreetView."""

    stored_size: int = 0  # that the dataset was prepared at, to crop from; 0 where it is the same
    crop: Crop = "centre"  # that it was prepared with

    def open_splits(self) -> DataSplits:
        """The prepared photographs; see `Prepared.open_splits` for errors."""
        size = self.stored_size or self.size
        config = str(size) if self.crop == "centre" else f"{size}-{self.crop}"
        return self._open("paris_street_view", config, f"FOLDER --size={size} --crop={self.crop}")


def _photographs(dataset: PreparedDataset, part: str, rows: Sequence[int], size: int | None) -> PhotoSource:
    """The rows' photographs: their centres as squares of `size`, or, without one, all that is stored."""
    digest = dataset.digests[part]
    if len(rows) < len(dataset.splits[part]) or size not in (None, dataset.shapes["image"][0]):
        digest = hashlib.sha256(f"{digest} {size} {list(rows)}".encode()).hexdigest()
    return PhotoSource(
        f"{dataset.name} {part}, split {dataset.split} ({dataset.split_digest[:12]})",
        digest,
        rows,
        partial(_read, dataset, part, size),
        "record {}".format,
        dataset.flip_pairs,
        len(dataset.label_names),
    )


def _read(dataset: PreparedDataset, part: str, size: int | None, row: int) -> Photo:
    """A photograph: "image" uint8 [H,W,3] and, where the dataset has them, "labels" uint8 [H,W]."""
    try:
        record = dataset.splits[part][row]
    except prepared.UNREADABLE as error:
        raise UserError(
            f"{dataset.folder}: record {row} of {dataset.name} {part}, split {dataset.split} "
            f"({dataset.split_digest[:12]}) cannot be read ({error}); "
            f"python -m scan_jax prepare verify looks at the rest; remove it and build it again"
        ) from error
    photo = {"image": np.ascontiguousarray(record["image"])}  # [H,W,3]
    if dataset.label_names:
        photo["labels"] = np.ascontiguousarray(record["labels"][..., 0], np.uint8)  # [H,W]
    if size is None:
        return photo
    return {key: (square if key == "image" else square_labels)(array, size) for key, array in photo.items()}
