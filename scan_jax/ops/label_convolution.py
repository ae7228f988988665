"""Convolutions of a label map as look-ups: a pixel sums k x k rows that its neighbours' labels choose."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def convolve_labels(labels: Array, kernels: Array) -> Array:
    """Convolves the one-hot map of `labels` with a kernel per sample, without building the map on the way forward.

    Equals a zero padded convolution of the [B,H,W,N] one-hot map. Forward it adds up k*k gathered rows a pixel; the
    gradient to the kernels is one matrix product, [k*k*N, HW] times [HW, C] a sample, which is deterministic and faster
    than scattering. Differentiable in reverse mode.

    Args:
      labels: [B,H,W] integers; a label outside 0..N-1 counts as no class, and adds nothing.
      kernels: [B,k,k,N,C], k odd; in the kernels' dtype are the products, in float32 the sums.

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
    neighbours = label_neighbours(labels, size, classes)  # [B,H,W,k*k]
    return _add_rows(kernels.reshape(batch, size * size, classes, channels), neighbours)


def label_neighbours(labels: Array, size: int, classes: int) -> Array:
    """The labels under a size x size kernel: [B,H,W] -> [B,H,W,size*size]; `classes` where there is none."""
    pad, (height, width) = size // 2, labels.shape[1:]
    labels = jnp.where((labels >= 0) & (labels < classes), labels, classes)
    padded = jnp.pad(labels, ((0, 0), (pad, pad), (pad, pad)), constant_values=classes)
    shifts = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return jnp.stack(shifts, axis=-1)


@jax.custom_vjp
def _add_rows(table: Array, neighbours: Array) -> Array:
    """sum_t table[b, t, neighbours[b, y, x, t]]: [B,T,N,C], [B,H,W,T] -> [B,H,W,C]."""
    padded = jnp.pad(table, ((0, 0), (0, 0), (0, 1), (0, 0)))  # [B,T,N+1,C]: the last row is "no class"
    total = jnp.zeros((), jnp.float32)
    for tap in range(table.shape[1]):
        rows = jax.vmap(_take)(padded[:, tap], neighbours[..., tap])  # [B,H,W,C]
        total = rows.astype(jnp.float32) if tap == 0 else total + rows.astype(jnp.float32)
    return total.astype(table.dtype)


def _take(rows: Array, index: Array) -> Array:
    """[N+1,C], [H,W] -> [H,W,C]; the indices are known to lie inside."""
    return rows.at[index].get(mode="promise_in_bounds")


def _add_rows_forward(table: Array, neighbours: Array) -> tuple[Array, tuple[Array, Array]]:
    # of the table only the shape is needed on the way back: an empty slice carries it
    return _add_rows(table, neighbours), (neighbours, table[..., :0])


def _add_rows_backward(saved: tuple[Array, Array], change: Array) -> tuple[Array, None]:
    neighbours, (batch, taps, classes, _) = saved[0], saved[1].shape
    one_hot = jax.nn.one_hot(neighbours, classes, dtype=change.dtype)  # [B,H,W,T,N]
    gradient = jnp.einsum(
        "bpr,bpc->brc",
        one_hot.reshape(batch, -1, taps * classes),
        change.reshape(batch, -1, change.shape[-1]),
        preferred_element_type=jnp.float32,
    )  # [B,T*N,C]
    return gradient.reshape(batch, taps, classes, -1).astype(change.dtype), None


_add_rows.defvjp(_add_rows_forward, _add_rows_backward)
