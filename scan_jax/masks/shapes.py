"""Holes that are drawn: what they have in common, boxes, frames and halves."""

from __future__ import annotations

import bisect
import dataclasses
import functools
from typing import ClassVar

import numpy as np

from scan_jax.core.bounds import Ratios
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, draw_fixed, draw_within

MAX_RECTANGLES = 4
MAX_UNEVEN = 2  # the thicker pair of bars is at most that many times as thick as the other
SIDES = ("left", "right", "top", "bottom")
HALF = Bucket(0.25, 0.5)  # a half of an odd side is rounded down: 1 of 3, 2 of 5, ...


@dataclasses.dataclass(frozen=True)
class DrawnHoles:
    """A `HoleSource` that draws until the ratio lies within its limits, and its `config.holes`."""

    ratio: Ratios = (0.1, 0.6)  # (low, high], the share of the image that a hole takes
    attempts: ClassVar[int] = 200  # then the nearest try is fitted
    title: ClassVar[str] = ""

    def open_splits(self) -> HoleSplits:
        """Holes for both splits: held-out ones differ by their seed."""
        return HoleSplits(train=self, held_out=self)

    @functools.cached_property
    def limits(self) -> Bucket:
        """Every hole's ratio lies in this range."""
        return Bucket(*self.ratio)

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"{self.title}, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size]."""
        return draw_within(self._try, rng, size, self.limits, self.attempts)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], or none where the limits exclude it."""
        reached = self.limits.overlap(bucket)
        if reached is None or not self._reaches(size, reached):
            return np.zeros((0, size, size), np.bool_)
        return draw_fixed(dataclasses.replace(self, ratio=(reached.low, reached.high)).draw, size, reached, count, seed)

    def _reaches(self, size: int, bucket: Bucket) -> bool:
        """Whether there are such holes at this size."""
        return True

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One hole, bool [size,size], whose ratio may lie outside the limits."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Rectangles(DrawnHoles):
    """One to four boxes, at most twice as long as wide where they fit, inside the image."""

    title = f"1-{MAX_RECTANGLES} rectangles"

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


@dataclasses.dataclass(frozen=True)
class Border(DrawnHoles):
    """Outpainting: equal bars above and below, equal bars left and right, at most twice as thick as the others.

    Few frames exist at a size: those of a bucket repeat where many are asked for.
    """

    title = "frames around the middle"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size], whose ratio is spread evenly over the limits as far as whole pixels allow."""
        found = frames(size, self.limits)
        if not found:
            raise UserError(f"no frame of {size}x{size} has a ratio in {self.limits}; widen config.holes.ratio")
        wanted = (self.limits.low + (self.limits.high - self.limits.low) * rng.random()) * size * size  # pixels
        after = bisect.bisect_left(found, (wanted,))
        _, thin, thick = min(found[max(after - 1, 0) : after + 1], key=lambda frame: abs(frame[0] - wanted))
        upright = np.ones((size, size), np.bool_)
        upright[thick : size - thick, thin : size - thin] = False
        return np.ascontiguousarray(upright.T) if rng.integers(2) else upright

    def _reaches(self, size: int, bucket: Bucket) -> bool:
        return bool(frames(size, bucket))


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


@dataclasses.dataclass(frozen=True)
class Half(DrawnHoles):
    """The image's left, right, upper or lower half, which takes 50%, or less than one row under it of an odd side.

    UserError where a side is unknown, there is none, or no half lies within `ratio`.
    """

    sides: tuple[str, ...] = SIDES  # those that a hole may take

    def __post_init__(self) -> None:
        for side in self.sides:
            if side not in SIDES:
                known = ", ".join(SIDES)
                raise UserError(f"config.holes.sides has {side!r}{did_you_mean(side, SIDES)} (choose among {known})")
        if not self.sides:
            raise UserError(f"config.holes.sides is empty; name some of {', '.join(SIDES)}")
        if self.limits.overlap(HALF) is None:
            raise UserError(f"a half takes 50% of the image, which is outside {self.limits}; widen config.holes.ratio")

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"the {', '.join(self.sides)} half"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size]."""
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
