"""Outpainting: a frame around a known rectangle in the middle."""

from __future__ import annotations

import bisect
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, draw_fixed

MAX_UNEVEN = 2  # the thicker pair of bars is at most that many times as thick as the other


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of frames.

    Attributes:
      ratio: (low, high], the share of the image that the frame takes.
    """

    ratio: tuple[float, float] = (0.1, 0.6)


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """Frames for both splits: held-out ones differ by their seed."""
    source = Border(Bucket(*bind(section, Settings, "config.holes").ratio))
    return HoleSplits(train=source, held_out=source)


@dataclasses.dataclass(frozen=True)
class Border:
    """A `HoleSource`: equal bars above and below, equal bars left and right, at most twice as thick as the others.

    Few frames exist at a size: those of a bucket repeat where many are asked for.
    """

    limits: Bucket

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"frames around the middle, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size], whose ratio is spread evenly over the limits as far as whole pixels allow.

        Raises:
          UserError: no frame of whole pixels lies within the limits.
        """
        found = frames(size, self.limits)
        if not found:
            raise UserError(f"no frame of {size}x{size} has a ratio in {self.limits}; widen config.holes.ratio")
        wanted = (self.limits.low + (self.limits.high - self.limits.low) * rng.random()) * size * size  # pixels
        after = bisect.bisect_left(found, (wanted,))
        _, thin, thick = min(found[max(after - 1, 0) : after + 1], key=lambda frame: abs(frame[0] - wanted))
        upright = np.ones((size, size), np.bool_)
        upright[thick : size - thick, thin : size - thin] = False
        return np.ascontiguousarray(upright.T) if rng.integers(2) else upright

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], or none where no frame is in it."""
        reached = self.limits.overlap(bucket)
        if reached is None or not frames(size, reached):
            return np.zeros((0, size, size), np.bool_)
        return draw_fixed(Border(reached).draw, size, reached, count, seed)


@functools.lru_cache(64)
def frames(size: int, limits: Bucket) -> tuple[tuple[int, int, int], ...]:
    """All frames within the limits: (hole pixels, thinner bars, thicker bars), by pixels; something stays known."""
    found = []
    for thin in range(1, (size + 1) // 2):
        for thick in range(thin, min(MAX_UNEVEN * thin, (size - 1) // 2) + 1):
            pixels = size * size - (size - 2 * thin) * (size - 2 * thick)
            if pixels / (size * size) in limits:
                found.append((pixels, thin, thick))
    return tuple(sorted(found))
