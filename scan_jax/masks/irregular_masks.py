"""Irregular masks (Liu et al. 2018), prepared beforehand by `python -m scan_jax prepare irregular_masks`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from scan_jax.core import prepared
from scan_jax.core.config import bind
from scan_jax.core.prepared import PreparedDataset, Record
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.mask_folder import MaskFiles, MaskFolder, keep_upright, turn_at_random
from scan_jax.masks.ratio import Bucket


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of prepared masks.

    Attributes:
      ratio: (low, high]; masks outside it, at the size asked for, are left out.
      stored_size: that they were prepared at, pixels.
      set_name: that they were prepared with, where they are not the authors'.
      data_dir: of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty.
    """

    ratio: tuple[float, float] = (0.1, 0.6)
    stored_size: int = 512
    set_name: str = ""
    data_dir: str = ""


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """The masks of the dataset: training ones turned at random, test ones upright.

    Raises:
      UserError: they were not prepared; it names the command.
    """
    settings = bind(section, Settings, "config.holes")
    config = f"{settings.set_name}-{settings.stored_size}" if settings.set_name else str(settings.stored_size)
    command = f"python -m scan_jax prepare irregular_masks --source=MASKS --size={settings.stored_size}"
    dataset = prepared.find(settings.data_dir, "irregular_masks", config, command)
    limits = Bucket(*settings.ratio)
    return HoleSplits(
        train=MaskFolder(_masks(dataset, "train"), limits, turn_at_random),
        held_out=MaskFolder(_masks(dataset, "test"), limits, keep_upright),
    )


def _brightness(records: Sequence[Record], row: int) -> np.ndarray:
    """A mask by its row, uint8 [S,S]; white is hole."""
    return records[row]["hole"][..., 0]


def _masks(dataset: PreparedDataset, split: str) -> MaskFiles:
    records = dataset.splits[split]
    name = f"{dataset.name} {split} ({dataset.digests[split][:12]})"
    return MaskFiles(name, tuple(range(len(records))), "white", read=partial(_brightness, records))
