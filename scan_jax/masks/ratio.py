"""How much of an image a hole takes, and the buckets by which results are reported.

Buckets are lower-open and upper-closed, (low, high], as in the test sets of partial convolutions (Liu et al. 2018): a
hole of exactly 20% belongs to "10-20%", everywhere.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar

T = TypeVar("T")
DRAWN = 50  # holes of a bucket, where they are drawn and no number is asked for


@dataclasses.dataclass(frozen=True, order=True)
class Bucket:
    """The ratios in (low, high], as fractions of the image; a UserError unless 0 <= low < high <= 1."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.low < self.high <= 1.0:
            raise UserError(f"a hole ratio range needs 0 <= low < high <= 1, not ({self.low}, {self.high})")

    def __contains__(self, ratio: float) -> bool:
        return self.low < ratio <= self.high

    def __str__(self) -> str:
        return f"({self.low:g}, {self.high:g}]"

    @property
    def label(self) -> str:
        """Such as "10-20%"."""
        return f"{100 * self.low:g}-{100 * self.high:g}%"

    def overlap(self, other: Bucket) -> Bucket | None:
        """The ratios in both, or None where there are none."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Bucket(low, high) if low < high else None

    def pixel_range(self, pixels: int) -> tuple[int, int]:
        """The fewest and most hole pixels, of `pixels`, whose ratio lies inside; a UserError where none does."""
        # The slack undoes the rounding of products such as 0.3 * 100 = 30.000000000000004.
        fewest = math.floor(self.low * pixels + 1e-9) + 1
        most = math.floor(self.high * pixels + 1e-9)
        if fewest > most:
            raise UserError(f"no hole of {pixels} pixels has a ratio in {self}; widen config.holes.ratio")
        return fewest, most


def make_buckets(edges: Sequence[float]) -> tuple[Bucket, ...]:
    """The buckets between consecutive edges."""
    return tuple(Bucket(low, high) for low, high in itertools.pairwise(edges))


BUCKETS = make_buckets((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))  # what the papers report
BUCKETS_FROM_ZERO = (Bucket(0.0, 0.1), *BUCKETS)


def hole_ratio(hole: np.ndarray) -> float:
    """The share of hole pixels in `hole`, bool [H,W]."""
    if hole.ndim != 2 or hole.dtype != np.bool_:
        raise ValueError(f"a hole is bool [H,W], not {hole.dtype} {hole.shape}")
    return np.count_nonzero(hole) / hole.size


def bucket_of(ratio: float, buckets: Sequence[Bucket] = BUCKETS_FROM_ZERO) -> Bucket | None:
    """The first of `buckets` that holds `ratio`, or None."""
    return next((bucket for bucket in buckets if ratio in bucket), None)


Draw = Callable[[np.random.Generator, int], np.ndarray]  # (rng, size) -> bool [size,size] of any ratio


def draw_within(draw: Draw, rng: np.random.Generator, size: int, limits: Bucket, attempts: int) -> np.ndarray:
    """The first of at most `attempts` draws, bool [size,size], with a ratio in `limits`, else the nearest made to fit.

    UserError where no hole of this size can lie within the limits.
    """
    limits.pixel_range(size * size)  # refuses the impossible before the work
    nearest, nearest_distance = None, np.inf
    for _ in range(attempts):
        hole = draw(rng, size)
        ratio = hole_ratio(hole)
        if ratio in limits:
            return hole
        distance = max(limits.low - ratio, ratio - limits.high)
        if distance < nearest_distance:
            nearest, nearest_distance = hole, distance
    if nearest is None:
        raise ValueError(f"attempts must be positive, not {attempts}")
    return fit(nearest, limits)


def fit(hole: np.ndarray, limits: Bucket) -> np.ndarray:
    """`hole` [H,W], grown or worn away along its edge by the fewest pixels that bring its ratio into `limits`."""
    fewest, most = limits.pixel_range(hole.size)
    count = int(np.count_nonzero(hole))
    if count < fewest:
        return _grow(hole, fewest - count)
    if count > most:
        return ~_grow(~hole, count - most)
    return hole


def _grow(region: np.ndarray, pixels: int) -> np.ndarray:
    """`region` [H,W] with the `pixels` nearest ones outside it added; ties in reading order."""
    outside = (~region).astype(np.uint8)  # [H,W]
    if not region.any():  # nothing to grow from: begin in the middle
        outside[region.shape[0] // 2, region.shape[1] // 2] = 0
    # Chessboard distance is exact in integers, and keeps a rectangle a rectangle.
    distance = cv2.distanceTransform(outside, cv2.DIST_C, 3)  # [H,W]
    distance[region] = np.inf
    added = np.argsort(distance, axis=None, kind="stable")[:pixels]  # [pixels], flat indices
    grown = region.copy()
    grown.flat[added] = True
    return grown


def draw_fixed(source: Draw, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
    """`count` holes of a generator, which has no end: DRAWN of them for 0; number i is pure in (seed, bucket, i).

    Returns bool [count,size,size].
    """
    if count < 0:
        raise UserError(f"drawn holes need a count per bucket from 0 on, not {count}")
    count = count or DRAWN
    # The bit generator is named, since NumPy may change its default one.
    name = [seed, round(1e6 * bucket.low), round(1e6 * bucket.high)]
    rngs = (np.random.Generator(np.random.Philox(np.random.SeedSequence([*name, i]))) for i in range(count))
    return np.stack([source(rng, size) for rng in progress(rngs, bucket.label, count)])


def progress(items: Iterable[T], title: str, total: int) -> Iterable[T]:
    """`items` with their progress, once a second has passed."""
    return progress_bar(items, desc=title, total=total, unit="hole", leave=False, delay=1.0)
