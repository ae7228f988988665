"""Differences of pixels, weighted by the hole (SCAN section 3.3, L_l1), and the weighted sum of all terms.

Shapes other than said are a ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array


def l1(prediction: Array, target: Array) -> Array:
    """|prediction - target| for every value: [B,H,W,C], [B,H,W,C] -> [B,H,W,C] float32, in the images' unit.

    SCAN and EdgeConnect average it over the whole image and divide by the hole's share: `hole_normalised`.
    """
    if prediction.ndim != 4:
        raise ValueError(f"l1 needs images [B,H,W,C], not {prediction.shape}")
    return absolute_difference(prediction, target)


def absolute_difference(a: Array, b: Array) -> Array:
    """|a - b| of two arrays of one shape, in float32, with slope 0 where they agree.

    `jnp.abs` has slope 1 there, a push without a cause on everything that is already right (zeros of ReLUs, pixels
    outside the hole); PyTorch's L1 has 0.
    """
    if a.shape != b.shape:
        raise ValueError(f"a difference needs two equal shapes, not {a.shape} and {b.shape}")
    difference = a.astype(jnp.float32) - b.astype(jnp.float32)
    return difference * jnp.sign(difference)


def hole_normalised(values: Array, known: Array) -> Array:
    """mean(values) / mean(hole): [B,H,W,C], known [B,H,W,1] -> float32 scalar; small holes weigh as much as large ones.

    EdgeConnect's L1, which SCAN section 3.3 takes over: the mean runs over every pixel of the batch, known ones too.
    Without any hole the result and its gradient are 0.
    """
    if values.ndim != 4 or known.shape != (*values.shape[:3], 1):
        raise ValueError(f"values [B,H,W,C] need known [B,H,W,1], not {values.shape} and {known.shape}")
    share = jnp.mean(1.0 - known.astype(jnp.float32))  # scalar in [0, 1]
    return jnp.where(share > 0, jnp.mean(values.astype(jnp.float32)) / jnp.where(share > 0, share, 1.0), 0.0)


def combine(terms: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """sum over names of weight * mean(term), a float32 scalar (SCAN section 3.3, L_total).

    A term of any shape counts by its mean; one of weight 0 is left out, so that it cannot spoil the sum with a NaN. It
    is a ValueError where a term has no weight, or a weight other than 0 no term.
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
