"""Differences of pixels (SCAN section 3.3, the term L_l1)."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.core.types import Array


def l1(prediction: Array, target: Array) -> Array:
    """|prediction - target| for every value: [B,H,W,C], [B,H,W,C] -> [B,H,W,C] float32, in the images' unit.

    SCAN and EdgeConnect average it over the whole image and divide by the hole's share: `weighting.hole_normalised`.

    Raises:
      ValueError: the shapes differ, or are not [B,H,W,C].
    """
    if prediction.ndim != 4:
        raise ValueError(f"l1 needs images [B,H,W,C], not {prediction.shape}")
    return absolute_difference(prediction, target)


def absolute_difference(a: Array, b: Array) -> Array:
    """|a - b| of two arrays of one shape, in float32, with slope 0 where they agree.

    `jnp.abs` has slope 1 there, a push without a cause on everything that is already right (zeros of ReLUs, pixels
    outside the hole); PyTorch's L1 has 0.

    Raises:
      ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"a difference needs two equal shapes, not {a.shape} and {b.shape}")
    difference = a.astype(jnp.float32) - b.astype(jnp.float32)
    return difference * jnp.sign(difference)
