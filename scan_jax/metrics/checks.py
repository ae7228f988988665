"""What users complain about: seams and colours that are off."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_hole, total
from scan_jax.metrics.pixel_errors import colour_shift, levels


def _seam(image: Array, photograph: Array, hole: Array) -> Array:
    return seam(levels(image), levels(photograph), hole)


def _colour_shift(image: Array, photograph: Array, hole: Array) -> Array:
    return colour_shift(levels(image), levels(photograph), hole)


METRICS: Mapping[str, Metric] = {
    "seam": Metric(
        of_hole(_seam),
        "Seam",
        "zero",
        "levels",
        2,
        "mean excess of the jumps across the hole's border over the photograph's; below 0 is a blurred border",
    ),
    "colour_shift": Metric(
        of_hole(_colour_shift),
        "Colour shift",
        "lower",
        "Delta E",
        2,
        "CIE76 difference of the hole's mean colours, means in CIELAB",
    ),
}


def open_metrics() -> Mapping[str, Metric]:
    """seam, colour_shift."""
    return METRICS


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
