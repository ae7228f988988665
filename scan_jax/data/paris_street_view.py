"""Paris StreetView, prepared beforehand by `python -m scan_jax prepare paris_street_view`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from scan_jax.core import prepared
from scan_jax.core.config import bind
from scan_jax.data.api import DataSplits
from scan_jax.data.prepared import split_photographs


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of Paris StreetView.

    Attributes:
      size: height and width that the network sees, pixels.
      stored_size: that the dataset was prepared at, to crop from; 0 where it is the same.
      crop: that it was prepared with.
      data_dir: of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty.
      held_out: how many to measure on, evenly spaced; 0 for all.
    """

    size: int
    stored_size: int = 0
    crop: Literal["centre", "stretch"] = "centre"
    data_dir: str = ""
    held_out: int = 0


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """The prepared photographs.

    Raises:
      UserError: they were not prepared at this size; it names the command.
    """
    settings = bind(section, Settings, "config.data")
    size = settings.stored_size or settings.size
    config = str(size) if settings.crop == "centre" else f"{size}-{settings.crop}"
    command = f"python -m scan_jax prepare paris_street_view --source=FOLDER --size={size} --crop={settings.crop}"
    dataset = prepared.find(settings.data_dir, "paris_street_view", config, command)
    return split_photographs(dataset, settings.size, settings.held_out, "")
