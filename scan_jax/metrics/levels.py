"""Pixels as whole numbers, which float32 adds, subtracts and squares without error."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Array

RANGE = 255.0  # of `levels`
# Luma of ITU-R BT.709 as scikit-image's `rgb2gray` has it (0.2125, 0.7154, 0.0721), in ten-thousandths.
GREY_WEIGHTS = (2125.0, 7154.0, 721.0)
GREY_RANGE = RANGE * sum(GREY_WEIGHTS)  # of `grey`: 2,550,000, below 2^24


def levels(image: Array) -> Array:
    """An 8-bit image given as floats, back at its levels: [B,H,W,C] in [0, 1] -> float32, whole numbers 0..255.

    Differences of k/255 in float32 are wrong in the fifth digit; those of whole numbers are exact.
    """
    return jnp.round(RANGE * image.astype(jnp.float32))


def grey(image: Array) -> Array:
    """scikit-image's grey of an 8-bit image, times 2,550,000: [B,H,W,3] in [0, 1] -> [B,H,W,1], whole numbers."""
    weighted = levels(image) * np.asarray(GREY_WEIGHTS, np.float32).reshape(1, 1, 1, 3)  # [B,H,W,3]
    return weighted.sum(axis=3, keepdims=True)
