"""Half of the image as the hole: its left, right, upper or lower half."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.core.config import bind, did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket

SIDES = ("left", "right", "top", "bottom")
RATIOS = Bucket(0.25, 0.5)  # a half of an odd side is rounded down: 1 of 3, 2 of 5, ...


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of halves.

    Attributes:
      sides: those that a hole may take.
      ratio: (low, high], as of the other sources; a half takes 50% (less than one row under it where the side is odd).
    """

    sides: tuple[str, ...] = SIDES
    ratio: tuple[float, float] = (0.1, 0.6)


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """Halves for both splits.

    Raises:
      UserError: a side is unknown, there is none, or no half lies within `ratio`.
    """
    settings = bind(section, Settings, "config.holes")
    for side in settings.sides:
        if side not in SIDES:
            known = ", ".join(SIDES)
            raise UserError(f"config.holes.sides has {side!r}{did_you_mean(side, SIDES)} (choose among {known})")
    if not settings.sides:
        raise UserError(f"config.holes.sides is empty; name some of {', '.join(SIDES)}")
    limits = Bucket(*settings.ratio)
    if limits.overlap(RATIOS) is None:
        raise UserError(f"a half takes 50% of the image, which is outside {limits}; widen config.holes.ratio")
    source = Half(limits, settings.sides)
    return HoleSplits(train=source, held_out=source)


@dataclasses.dataclass(frozen=True)
class Half:
    """A `HoleSource` of as many holes as it has sides."""

    limits: Bucket
    sides: tuple[str, ...] = SIDES

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"the {', '.join(self.sides)} half"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size].

        Raises:
          UserError: the half of this size lies outside the limits.
        """
        if _ratio(size) not in self.limits:
            raise UserError(f"a half of {size}x{size} takes {_ratio(size):.1%}, outside {self.limits}; widen the ratio")
        return half(self.sides[int(rng.integers(len(self.sides)))], size)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """The sides in turn, bool [count,size,size] (each once for 0), or none where a half is not in the bucket."""
        del seed
        reached = self.limits.overlap(bucket)
        if reached is None or _ratio(size) not in reached:
            return np.zeros((0, size, size), np.bool_)
        count = count if count > 0 else len(self.sides)
        return np.stack([half(self.sides[i % len(self.sides)], size) for i in range(count)])


def half(side: str, size: int) -> np.ndarray:
    """The half at "left", "right", "top" or "bottom", bool [size,size]; rounded down where the size is odd."""
    hole = np.zeros((size, size), np.bool_)
    hole[: size // 2] = True  # top
    if side in ("bottom", "right"):
        hole = hole[::-1]
    return np.ascontiguousarray(hole.T if side in ("left", "right") else hole)


def _ratio(size: int) -> float:
    """Of any half."""
    return (size // 2) * size / (size * size)
