"""Mean absolute error."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.sums import mean


def mae(x: Array, y: Array, span: float) -> Array:
    """Mean absolute difference over all pixels and channels, as a fraction of the range.

    Args:
      x: [B,H,W,C].
      y: [B,H,W,C].
      span: the range of the values.

    Returns:
      [B] float32 in [0, 1].
    """
    return mean(jnp.abs(x - y)) / span
