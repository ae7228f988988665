"""Convolutions of a label map: a pixel sums k x k rows that its neighbours' labels choose."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def convolve_labels(labels: Array, kernels: Array, bias: Array | None = None) -> Array:
    """Convolves the one-hot map of `labels` with a kernel per sample.

    Equals a zero padded convolution of the [B,H,W,N] one-hot map. It is one matrix product a sample, [HW, k*k*N] times
    [k*k*N, C], where a row of the left side has a one for each neighbour; so is the gradient to the kernels. Both are
    deterministic, and several times faster than gathering and scattering k*k rows a pixel. Convolutions of one label
    map share the left side.

    Args:
      labels: [B,H,W] integers; a label outside 0..N-1 counts as no class, and adds nothing.
      kernels: [B,k,k,N,C], k odd; in the kernels' dtype are the products, in float32 the sums.
      bias: [C], added everywhere as one more row of the product, which spares a pass over the result.

    Returns:
      [B,H,W,C] in the dtype of `kernels`.

    Raises:
      ValueError: the shapes do not agree, k is even, or labels are not integers.
    """
    if labels.ndim != 3 or kernels.ndim != 5 or labels.shape[0] != kernels.shape[0]:
        raise ValueError(f"labels must be [B,H,W] and kernels [B,k,k,N,C], not {labels.shape} and {kernels.shape}")
    if kernels.shape[1] != kernels.shape[2] or kernels.shape[1] % 2 == 0:
        raise ValueError(f"kernels must be square and odd, not {kernels.shape[1:3]}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers, not {labels.dtype}")
    batch, size, _, classes, channels = kernels.shape
    neighbours = jax.nn.one_hot(label_neighbours(labels, size, classes), classes, dtype=kernels.dtype)  # [B,H,W,k*k,N]
    left = neighbours.reshape(batch, -1, size * size * classes)  # [B,HW,k*k*N]
    right = kernels.reshape(batch, -1, channels)  # [B,k*k*N,C]
    if bias is not None:
        left = jnp.pad(left, ((0, 0), (0, 0), (0, 1)), constant_values=1)  # [B,HW,k*k*N+1]
        row = jnp.broadcast_to(bias.astype(right.dtype), (batch, 1, channels))
        right = jnp.concatenate([right, row], axis=1)  # [B,k*k*N+1,C]
    total = jnp.einsum("bpr,brc->bpc", left, right, preferred_element_type=jnp.float32)  # [B,HW,C]
    return total.reshape(*labels.shape, channels).astype(kernels.dtype)


def label_neighbours(labels: Array, size: int, classes: int) -> Array:
    """The labels under a size x size kernel: [B,H,W] -> [B,H,W,size*size]; `classes` where there is none."""
    pad, (height, width) = size // 2, labels.shape[1:]
    labels = jnp.where((labels >= 0) & (labels < classes), labels, classes)
    padded = jnp.pad(labels, ((0, 0), (pad, pad), (pad, pad)), constant_values=classes)
    shifts = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return jnp.stack(shifts, axis=-1)
