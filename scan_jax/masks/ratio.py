"""How much of an image a hole takes, and the buckets by which results are reported.

Buckets are lower-open and upper-closed, (low, high], as in the test sets of partial convolutions (Liu et al. 2018): a
hole of exactly 20% belongs to "10-20%", everywhere.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from scan_jax.core.errors import UserError


@dataclasses.dataclass(frozen=True, order=True)
class Bucket:
    """The ratios in (low, high], as fractions of the image.

    Raises:
      UserError: unless 0 <= low < high <= 1.
    """

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
        """The fewest and most hole pixels, of `pixels`, whose ratio lies inside.

        Raises:
          UserError: no whole number of pixels does.
        """
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
