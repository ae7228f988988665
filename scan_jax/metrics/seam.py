"""How visible the hole's border is."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.sums import total


def seam(x: Array, y: Array, hole: Array) -> Array:
    """How much more neighbours differ across the hole's border in `x` than in `y`.

    The mean of (jump in x) - (jump in y) over all pairs of pixels that share an edge and of which one is in the hole; a
    jump is the mean absolute difference over the channels. Above 0 the seam shows, below 0 the border is blurred.

    Args:
      x: [B,H,W,C].
      y: [B,H,W,C].
      hole: [B,H,W,1] bool.

    Returns:
      [B] float32 in the unit of the values; 0 where there are no such pairs.
    """
    excess, pairs = jnp.zeros(len(x)), jnp.zeros(len(x))  # [B]
    for axis in (1, 2):
        across = jnp.diff(hole, axis=axis)  # [B,H-1,W,1], then [B,H,W-1,1]: exactly one is in the hole
        jumps = jnp.abs(jnp.diff(x, axis=axis)) - jnp.abs(jnp.diff(y, axis=axis))  # [B,H-1,W,C], then [B,H,W-1,C]
        excess += total(jnp.where(across, jumps, 0))
        pairs += total(across)
    return excess / (x.shape[3] * jnp.maximum(pairs, 1))
