"""What a source of photographs is. The module path is the registry.

`config.data.name = "photo_folder"` is `scan_jax/data/photo_folder.py`, whose `open_splits(section)` returns
`DataSplits`.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

import scan_jax.data
from scan_jax.errors import UserError
from scan_jax.settings import did_you_mean

Photo = Mapping[str, np.ndarray]  # "image" uint8 [S,S,3] and, where the source has them, "labels" uint8 [S,S]


class PhotoSource(Protocol):
    """Square photographs of one size, by index; safe to share between threads."""

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

    def __len__(self) -> int:
        """How many photographs."""
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
    name = str(section.get("name", ""))
    if name.isidentifier() and importlib.util.find_spec(f"{scan_jax.data.__name__}.{name}"):
        module = importlib.import_module(f"{scan_jax.data.__name__}.{name}")
        if hasattr(module, "open_splits"):
            return module.open_splits(section)
    names = _source_names()
    raise UserError(f"no data source is called {name!r}{did_you_mean(name, names)}; config.data.name is one of {names}")


def _source_names() -> list[str]:
    """The modules of this room that open a source; imports them, so only for messages."""
    prefix = f"{scan_jax.data.__name__}."
    names = [module.name for module in pkgutil.iter_modules(scan_jax.data.__path__) if not module.ispkg]
    return sorted(name for name in names if hasattr(importlib.import_module(prefix + name), "open_splits"))
