"""Nearest-neighbour shrinking with the corners aligned, as TensorFlow 1 resizes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def shrink_nearest(x: Array, factor: int) -> Array:
    """Every `factor`-th row and column, spread so that the first and the last are among them.

    Row y of n comes from row round(y (H - 1) / (n - 1)), halves rounded up: with a factor of 2 the upper half of the
    result takes even rows and the lower half odd ones. (TensorFlow's `resize_nearest_neighbor(align_corners=True)`,
    but for halves where its float32 product rounds down.)

    Args:
      x: [B,H,W,C], H and W multiples of `factor`.
      factor: at least 1.

    Returns:
      [B,H/factor,W/factor,C].

    Raises:
      ValueError: x is not [B,H,W,C], or `factor` does not divide its height and width.
    """
    if x.ndim != 4 or factor < 1 or x.shape[1] % factor or x.shape[2] % factor:
        raise ValueError(f"x must be [B,H,W,C] with height and width multiples of {factor}, not {x.shape}")
    return _take(_take(x, factor, axis=1), factor, axis=2)


def _take(x: Array, factor: int, axis: int) -> Array:
    """Shrinks along one axis."""
    count = x.shape[axis] // factor
    place = jnp.arange(count)
    gaps = jnp.maximum(count - 1, 1)
    index = factor * place + (2 * place * (factor - 1) + gaps) // (2 * gaps)  # [count], exact in integers
    return jnp.take(x, index, axis=axis, unique_indices=True, indices_are_sorted=True, mode="clip")
