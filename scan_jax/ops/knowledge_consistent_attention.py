"""Knowledge-consistent attention (Li et al. 2020, RFR, section 3.2): scores that one recurrence hands to the next.

For all images of a batch at once, as two products of matrices. The 3x3 pooling of the scores over their queries is
linear, so it is done to the queries, of which there are far fewer numbers than scores.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

_EPSILON = 1e-7


class Memory(NamedTuple):
    """What one recurrence leaves to the next of the same forward pass.

    Attributes:
      scores: [B,N,N] float32, of every pixel (rows) for every pixel; rows sum to 1.
      known: [B,N,1], which rows were known already.
    """

    scores: Array
    known: Array


def knowledge_consistent_attention(x: Array, known: Array, ratio: Array, memory: Memory | None) -> tuple[Array, Memory]:
    """Every pixel becomes a mean of the map's directions, weighted by likeness, then and now.

    The score of a pixel for a key is the product with the key's direction, summed over the pixel's 3x3 neighbourhood;
    a softmax over the keys follows. Rows that the last recurrence knew are averaged with its scores, 1 to |ratio|.

    Args:
      x: [B,H,W,C], queries and keys.
      known: [B,H,W,1], 1 where the map is known by now.
      ratio: scalar; the weight of the present beside the past.
      memory: the last recurrence's; None in the first.

    Returns:
      [B,H,W,C] in the dtype of x, and what the next recurrence wants.

    Raises:
      ValueError: the shapes do not agree.
    """
    _check(x, known, ratio)
    shifted = x.astype(jnp.float32) + _EPSILON  # [B,H,W,C]
    norm = jnp.sqrt(jnp.sum(jnp.square(shifted), axis=-1, keepdims=True))
    rows = (x.shape[0], x.shape[1] * x.shape[2], -1)
    keys = (shifted / norm).astype(x.dtype).reshape(rows)  # [B,N,C]
    queries = _sum_of_neighbours(x).reshape(rows)  # [B,N,C]
    products = jnp.einsum("bqc,bkc->bqk", queries, keys, preferred_element_type=jnp.float32)  # [B,N,N]
    scores = jax.nn.softmax(products, axis=-1)
    if memory is not None:
        present = jnp.abs(ratio).astype(jnp.float32) + _EPSILON
        scores = (memory.scores * memory.known + scores * present) / (memory.known + present)
    found = jnp.einsum("bqk,bkc->bqc", scores.astype(x.dtype), keys)  # [B,N,C]
    return found.reshape(x.shape), Memory(scores, known.astype(jnp.float32).reshape(rows))


def _sum_of_neighbours(x: Array) -> Array:
    """Sums over 3x3 pixels, zeros around the map: [B,H,W,C] -> [B,H,W,C]."""
    for axis in (1, 2):
        length = x.shape[axis]
        padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])
        before, here, after = (lax.slice_in_dim(padded, i, i + length, axis=axis) for i in range(3))
        x = before + here + after
    return x


def _check(x: Array, known: Array, ratio: Array) -> None:
    if x.ndim != 4 or known.shape != (*x.shape[:3], 1) or ratio.ndim:
        raise ValueError(
            f"x must be [B,H,W,C], known [B,H,W,1] and ratio a scalar, not {x.shape}, {known.shape} and {ratio.shape}"
        )
