"""Differences of pixels (SCAN section 3.3, the term L_l1)."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.types import Array


def l1(prediction: Array, target: Array) -> Array:
    """|prediction - target| for every value: [B,H,W,C], [B,H,W,C] -> [B,H,W,C] float32, in the images' unit.

    SCAN and EdgeConnect average it over the whole image and divide by the hole's share: `weighting.hole_normalised`.

    Raises:
      ValueError: the shapes differ, or are not [B,H,W,C].
    """
    if prediction.shape != target.shape or prediction.ndim != 4:
        raise ValueError(f"l1 needs two equal shapes [B,H,W,C], not {prediction.shape} and {target.shape}")
    return jnp.abs(prediction.astype(jnp.float32) - target.astype(jnp.float32))
