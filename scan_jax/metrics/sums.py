"""Sums of many float32 terms that keep their digits."""

from __future__ import annotations

import math

import jax.numpy as jnp

from scan_jax.core.types import Array

GROUP = 64  # terms added one after the other


def total(x: Array) -> Array:
    """Sum over everything but the first axis, in groups of groups: [B,...] -> [B] float32.

    A running sum of a million terms loses the sixth digit; here an error grows with the logarithm of their number.
    """
    x = x.astype(jnp.float32).reshape(x.shape[0], math.prod(x.shape[1:]))  # [B,N]
    while x.shape[1] > 1:
        group = min(GROUP, x.shape[1])
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % group)))  # [B,group*M]
        x = x.reshape(x.shape[0], group, x.shape[1] // group).sum(axis=1)  # [B,M]
    return x.sum(axis=1)  # of one, or of nothing


def mean(x: Array) -> Array:
    """Mean over everything but the first axis: [B,...] -> [B] float32."""
    return total(x) / math.prod(x.shape[1:])
