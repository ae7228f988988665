"""Where unreduced terms become one number: the mean over holes, and the weighted sum of a turn."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array


def hole_normalised(values: Array, known: Array) -> Array:
    """mean(values) / mean(hole), a float32 scalar: a small hole weighs as much as a large one.

    EdgeConnect's L1, which SCAN section 3.3 takes over: the mean runs over every pixel of the batch, known ones too.

    Args:
      values: [B,H,W,C], such as `pixel.l1`.
      known: [B,H,W,1], 1 = known, 0 = hole. Without any hole the result and its gradient are 0.

    Raises:
      ValueError: `known` is not [B,H,W,1] for values [B,H,W,C].
    """
    if values.ndim != 4 or known.shape != (*values.shape[:3], 1):
        raise ValueError(f"values [B,H,W,C] need known [B,H,W,1], not {values.shape} and {known.shape}")
    share = jnp.mean(1.0 - known.astype(jnp.float32))  # scalar in [0, 1]
    return jnp.where(share > 0, jnp.mean(values.astype(jnp.float32)) / jnp.where(share > 0, share, 1.0), 0.0)


def combine(terms: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """sum over names of weight * mean(term), a float32 scalar: a turn's loss (SCAN section 3.3, L_total).

    A term of any shape counts by its mean; one of weight 0 is left out, so that it cannot spoil the sum with a NaN.

    Raises:
      ValueError: a term has no weight, or a weight other than 0 has no term.
    """
    unknown = sorted(set(terms) - set(weights))
    if unknown:
        raise ValueError(f"the terms {unknown} have no weight; there are weights for {sorted(weights)}")
    absent = sorted(name for name, weight in weights.items() if weight != 0 and name not in terms)
    if absent:
        raise ValueError(f"the weights {absent} have no term; there are terms {sorted(terms)}")
    total = jnp.zeros((), jnp.float32)
    for name, term in terms.items():
        if weights[name] != 0:
            total = total + weights[name] * jnp.mean(jnp.asarray(term, jnp.float32))
    return total
