"""Photographs that `scan-jax prepare` made ready beforehand: named datasets, and any of its making."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np

from scan_jax.core import prepared
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.prepared import PreparedDataset
from scan_jax.data.api import CachedPhotos, DataSplits, Photo
from scan_jax.data.photo_folder import evenly_spaced
from scan_jax.images.square import Crop, square, square_labels

COMMAND = "python -m scan_jax prepare"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """`config.data` of a prepared dataset."""

    dataset: str  # its name, as `scan_jax prepare` prints it, such as "photo_folder/faces-64"
    size: int  # height and width that the network sees, pixels
    data_dir: str = ""  # of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty
    held_out: int = 0  # how many to measure on, evenly spaced; 0 for all
    measure_on: str = ""  # the split to measure on; empty for "test", or "validation" where there is no other

    def open_splits(self) -> DataSplits:
        """The dataset's photographs.

        Raises:
          UserError: it was not prepared, has no photographs, or not the split.
        """
        name, _, config = self.dataset.partition("/")
        if not name or not config:
            raise UserError(f"config.data.dataset is NAME/CONFIG, as scan_jax prepare prints it, not {self.dataset!r}")
        command = f"{COMMAND} {name} --source=... --size={self.size}"
        dataset = prepared.find(self.data_dir, name, config, command)
        return _splits(dataset, self.size, self.held_out, self.measure_on)


@dataclasses.dataclass(frozen=True)
class CelebaHq:
    """`config.data` of CelebA-HQ."""

    size: int  # height and width that the network sees, pixels
    stored_size: int = 0  # that the dataset was prepared at, to crop from; 0 where it is the same
    split: str = "celebahq_28k_2k"  # "celebahq_28k_2k", or another that the dataset was prepared with
    data_dir: str = ""  # of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty
    held_out: int = 0  # how many to measure on, evenly spaced; 0 for all
    measure_on: str = ""  # the split to measure on; empty for "test"

    def open_splits(self, dataset: str = "celeba_hq") -> DataSplits:
        """The prepared photographs.

        Raises:
          UserError: they were not prepared at this size and split; it names the command.
        """
        config, command = str(self.stored_size or self.size), f"{COMMAND} {dataset} --source=ARCHIVE --size="
        command += config
        if self.split != CelebaHq.split:
            config, command = f"{config}-{self.split}", f"{command} --split={self.split}"
        found = prepared.find(self.data_dir, dataset, config, command)
        return _splits(found, self.size, self.held_out, self.measure_on)


@dataclasses.dataclass(frozen=True)
class CelebaMaskHq(CelebaHq):
    """`config.data` of CelebAMask-HQ with its 19 classes; the keys are CelebA-HQ's."""

    def open_splits(self, dataset: str = "celebamask_hq") -> DataSplits:
        """The prepared photographs with their label maps; see `CelebaHq.open_splits`."""
        return super().open_splits(dataset)


@dataclasses.dataclass(frozen=True)
class ParisStreetView:
    """`config.data` of Paris StreetView."""

    size: int  # height and width that the network sees, pixels
    stored_size: int = 0  # that the dataset was prepared at, to crop from; 0 where it is the same
    crop: Crop = "centre"  # that it was prepared with
    data_dir: str = ""  # of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty
    held_out: int = 0  # how many to measure on, evenly spaced; 0 for all

    def open_splits(self) -> DataSplits:
        """The prepared photographs.

        Raises:
          UserError: they were not prepared at this size; it names the command.
        """
        size = self.stored_size or self.size
        config = str(size) if self.crop == "centre" else f"{size}-{self.crop}"
        command = f"{COMMAND} paris_street_view --source=FOLDER --size={size} --crop={self.crop}"
        return _splits(prepared.find(self.data_dir, "paris_street_view", config, command), self.size, self.held_out)


def _splits(dataset: PreparedDataset, size: int, held_out: int, measure_on: str = "") -> DataSplits:
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
    return DataSplits(
        train=_photographs(dataset, "train", range(len(dataset.splits["train"])), None),
        held_out=_photographs(dataset, measure_on, evenly_spaced(range(count), held_out or count), size),
    )


def _photographs(dataset: PreparedDataset, part: str, rows: Sequence[int], size: int | None) -> CachedPhotos:
    """The rows' photographs: their centres as squares of `size`, or, without one, all that is stored."""
    digest = dataset.digests[part]
    if len(rows) < len(dataset.splits[part]) or size not in (None, dataset.shapes["image"][0]):
        digest = hashlib.sha256(f"{digest} {size} {list(rows)}".encode()).hexdigest()
    return CachedPhotos(
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
    squares = {"image": square(photo["image"], size)}
    return squares | ({"labels": square_labels(photo["labels"], size)} if dataset.label_names else {})
