"""What a source of holes is, and which there are.

The module of a source has `Settings` and `open_splits(section)`, which returns `HoleSplits`. A hole is bool [S,S],
True = hole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from scan_jax.core import registry
from scan_jax.masks.ratio import Bucket

SOURCES = {  # `config.holes.name`
    "border": "scan_jax.masks.border",
    "free_form": "scan_jax.masks.free_form",
    "half": "scan_jax.masks.half",
    "irregular_masks": "scan_jax.masks.irregular_masks",
    "mask_folder": "scan_jax.masks.mask_folder",
    "mixture": "scan_jax.masks.mixture",
    "rectangles": "scan_jax.masks.rectangles",
    "strokes": "scan_jax.masks.strokes",
}


class HoleSource(Protocol):
    """Where holes come from, all of them with a ratio within `limits`.

    Safe to share between threads, and to pickle for worker processes.
    """

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        ...

    @property
    def limits(self) -> Bucket:
        """Every hole's ratio lies in this range, (low, high]."""
        ...

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size], that depends on the state of `rng` alone.

        Raises:
          UserError: the source has no hole within its limits at this size.
        """
        ...

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """The holes to evaluate on, bool [n,size,size], ratios in `bucket`: the same on every call and every machine.

        Args:
          size: height and width.
          bucket: the range wanted; what lies outside `limits` is never reached.
          count: how many. A source with a fixed stock gives at most that many, or all it has for 0.
          seed: a source with a fixed stock ignores it.

        Returns:
          n = 0 where the source has no such hole.
        """
        ...


@dataclasses.dataclass(frozen=True)
class HoleSplits:
    """Holes to train with, and holes to measure on."""

    train: HoleSource
    held_out: HoleSource


def open_holes(section: Mapping[str, Any]) -> HoleSplits:
    """The holes that a config's `holes` section describes.

    With any source, `held_out_path` names a folder of masks or a frozen set to measure on instead.

    Raises:
      UserError: no source has that name, or the source refuses the section.
    """
    module = registry.find(SOURCES, section.get("name", ""), "config.holes.name")
    splits = module.open_splits(registry.own_keys(SOURCES, module, section))
    path = section.get("held_out_path", "")
    if not path or hasattr(module.Settings, "held_out_path"):  # a source that sees to it itself
        return splits
    from scan_jax.masks import mask_folder  # which imports this module

    held_out = mask_folder.open_held_out(path, section.get("hole_color", "white"), splits.held_out.limits)
    return HoleSplits(splits.train, held_out)
