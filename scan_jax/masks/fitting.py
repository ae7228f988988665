"""Holes drawn at random until their ratio lies within the limits; the nearest try, fitted, where none does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.masks.mask_files import progress
from scan_jax.masks.ratio import Bucket, hole_ratio

Draw = Callable[[np.random.Generator, int], np.ndarray]  # (rng, size) -> bool [size,size] of any ratio


def draw_within(draw: Draw, rng: np.random.Generator, size: int, limits: Bucket, attempts: int) -> np.ndarray:
    """The first of at most `attempts` draws whose ratio is in `limits`, else the nearest one made to fit.

    Returns:
      bool [size,size]. Bounded work, pure in the state of `rng`.

    Raises:
      UserError: no hole of this size can lie within the limits.
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
    """`hole` [H,W], grown or worn away along its edge by the fewest pixels that bring its ratio into `limits`.

    Raises:
      UserError: no hole of this size can lie within the limits.
    """
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


def draw_fixed_within(source: Any, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
    """The `fixed` of a hole source that is a dataclass of its `limits`: none where they exclude the bucket.

    Returns:
      bool [count,size,size], or [0,size,size].
    """
    reached = source.limits.overlap(bucket)
    if reached is None:
        return np.zeros((0, size, size), np.bool_)
    return draw_fixed(dataclasses.replace(source, limits=reached).draw, size, reached, count, seed)


def draw_fixed(source: Draw, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
    """`count` holes of a generator, bool [count,size,size]; number i is pure in (seed, bucket, i).

    The bit generator is named, since NumPy may change its default one.

    Raises:
      UserError: `count` is not positive: a generator has no end.
    """
    if count <= 0:
        raise UserError(f"drawn holes need a positive count per bucket, not {count}")
    name = [seed, round(1e6 * bucket.low), round(1e6 * bucket.high)]
    rngs = (np.random.Generator(np.random.Philox(np.random.SeedSequence([*name, i]))) for i in range(count))
    return np.stack([source(rng, size) for rng in progress(rngs, bucket.label, count)])
