"""What a source of photographs is. The module path is the registry.

`config.data.name = "photo_folder"` is `scan_jax/data/photo_folder.py`, whose `open_splits(section)` returns
`DataSplits`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

import scan_jax.data
from scan_jax.core import registry

Photo = Mapping[str, np.ndarray]  # "image" uint8 [H,W,3] and, where the source has them, "labels" uint8 [H,W]


class PhotoSource(Protocol):
    """Photographs by index; safe to share between threads.

    They are squares of one size where something is measured on them; those to train with may be of any.
    """

    @property
    def name(self) -> str:
        """One line for logs and reports."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the source is made of: the same digest, the same photographs in the same order."""
        ...

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """The labels that change places when a photograph is flipped, such as left and right eye."""
        ...

    @property
    def num_labels(self) -> int:
        """Classes: labels are from 0 to one less; 0 where photographs have no labels."""
        ...

    def __len__(self) -> int:
        """How many photographs."""
        ...

    def title(self, index: int) -> str:
        """What people call photograph `index`, such as its file's name."""
        ...

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`; the same arrays on every call, which nobody may write to."""
        ...


@dataclasses.dataclass(frozen=True)
class DataSplits:
    """Photographs to train with, and photographs that training never sees."""

    train: PhotoSource
    held_out: PhotoSource


def open_data(section: Mapping[str, Any]) -> DataSplits:
    """The photographs that a config's `data` section describes.

    Raises:
      UserError: no source has that name, or the source refuses the section.
    """
    module = registry.find(scan_jax.data, section.get("name", ""), "open_splits", "config.data.name")
    return module.open_splits(registry.own_keys(scan_jax.data, module, "open_splits", section))
