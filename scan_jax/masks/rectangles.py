"""Rectangular holes: one to four upright boxes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.core.config import bind
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, draw_fixed_within, draw_within

ATTEMPTS = 200  # then the nearest try is fitted
MAX_RECTANGLES = 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of rectangular holes.

    Attributes:
      ratio: (low, high], the share of the image that the boxes take together.
    """

    ratio: tuple[float, float] = (0.1, 0.6)


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """Rectangular holes for both splits: held-out ones differ by their seed."""
    source = Rectangles(Bucket(*bind(section, Settings, "config.holes").ratio))
    return HoleSplits(train=source, held_out=source)


@dataclasses.dataclass(frozen=True)
class Rectangles:
    """A `HoleSource`: one to four boxes, at most twice as long as wide where they fit, inside the image."""

    limits: Bucket

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"1-{MAX_RECTANGLES} rectangles, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size]."""
        return draw_within(self._try, rng, size, self.limits, ATTEMPTS)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], or none where the limits exclude it."""
        return draw_fixed_within(self, size, bucket, count, seed)

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Boxes whose areas add up to a ratio within the limits; where they overlap, the hole is smaller."""
        hole = np.zeros((size, size), np.bool_)
        count = int(rng.integers(1, MAX_RECTANGLES + 1))
        area = rng.uniform(self.limits.low, self.limits.high) * size * size / count  # pixels of each
        for _ in range(count):
            height = min(max(round(float(np.sqrt(area * rng.uniform(0.5, 2.0)))), 1), size)
            width = min(max(round(area / height), 1), size)
            top, left = (int(rng.integers(size - side + 1)) for side in (height, width))
            hole[top : top + height, left : left + width] = True
        return hole
