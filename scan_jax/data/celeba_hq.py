"""CelebA-HQ, prepared beforehand by `python -m scan_jax prepare celeba_hq`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scan_jax.core import prepared
from scan_jax.core.config import bind
from scan_jax.data.api import DataSplits
from scan_jax.data.prepared import split_photographs

PAPERS_SPLIT = "celebahq_28k_2k"


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of CelebA-HQ.

    Attributes:
      size: height and width that the network sees, pixels.
      stored_size: that the dataset was prepared at, to crop from; 0 where it is the same.
      split: "celebahq_28k_2k", or another that the dataset was prepared with.
      data_dir: of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty.
      held_out: how many to measure on, evenly spaced; 0 for all.
      measure_on: the split to measure on; empty for "test".
    """

    size: int
    stored_size: int = 0
    split: str = PAPERS_SPLIT
    data_dir: str = ""
    held_out: int = 0
    measure_on: str = ""


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """The prepared photographs.

    Raises:
      UserError: they were not prepared at this size and split; it names the command.
    """
    return open_prepared("celeba_hq", bind(section, Settings, "config.data"))


def open_prepared(dataset: str, settings: Settings) -> DataSplits:
    """A dataset of CelebA-HQ's kind.

    Raises:
      UserError: it was not prepared at this size and split; it names the command.
    """
    size = settings.stored_size or settings.size
    own = settings.split != PAPERS_SPLIT
    command = f"python -m scan_jax prepare {dataset} --source=ARCHIVE --size={size}"
    found = prepared.find(
        settings.data_dir,
        dataset,
        f"{size}-{settings.split}" if own else str(size),
        command + (f" --split={settings.split}" if own else ""),
    )
    return split_photographs(found, settings.size, settings.held_out, settings.measure_on)
