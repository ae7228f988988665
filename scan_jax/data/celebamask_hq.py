"""CelebAMask-HQ with its 19 classes, prepared beforehand by `python -m scan_jax prepare celebamask_hq`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scan_jax.core.config import bind
from scan_jax.data import celeba_hq
from scan_jax.data.api import DataSplits
from scan_jax.data.celeba_hq import open_prepared

Settings = celeba_hq.Settings


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """The prepared photographs with their label maps.

    Raises:
      UserError: they were not prepared at this size and split; it names the command.
    """
    return open_prepared("celebamask_hq", bind(section, Settings, "config.data"))
