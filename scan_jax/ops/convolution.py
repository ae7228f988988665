"""How a convolution carries `known` down a level."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def update_known(known: Array, kernel_size: int, stride: int) -> Array:
    """Partial convolution's rule: an output is known where any known pixel lies under its kernel.

    Source: Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, eq. (2). No gradient flows.

    Args:
      known: [B,H,W,1], 1 = known pixel, 0 = hole.
      kernel_size: k, odd; the convolution pads by k // 2 on every side.
      stride: s.

    Returns:
      [B,ceil(H/s),ceil(W/s),1], in the dtype of `known`.

    Raises:
      ValueError: `known` is not [B,H,W,1], `kernel_size` is not odd or `stride` not positive.
    """
    return _pool_known(known, kernel_size, stride, lax.max)


def count_known(known: Array, kernel_size: int, stride: int) -> Array:
    """How many known pixels lie under each position of a convolution's kernel; the padding counts as unknown.

    Source: sum(M) in Liu et al., eq. (1). No gradient flows.

    Args:
      known: [B,H,W,1], 1 = known pixel, 0 = hole.
      kernel_size: k, odd; the convolution pads by k // 2 on every side.
      stride: s.

    Returns:
      [B,ceil(H/s),ceil(W/s),1], in the dtype of `known`.

    Raises:
      ValueError: `known` is not [B,H,W,1], `kernel_size` is not odd or `stride` not positive.
    """
    return _pool_known(known, kernel_size, stride, lax.add)


def _pool_known(known: Array, kernel_size: int, stride: int, reduction: Callable[[Array, Array], Array]) -> Array:
    """`known` reduced under every position of a kernel; outside the image nothing is known."""
    if known.ndim != 4 or known.shape[-1] != 1:
        raise ValueError(f"known must be [B,H,W,1], not {known.shape}")
    if kernel_size < 1 or kernel_size % 2 == 0 or stride < 1:
        raise ValueError(f"kernel_size must be odd and stride positive, not {kernel_size} and {stride}")
    pad = (kernel_size // 2, kernel_size // 2)
    return lax.reduce_window(
        lax.stop_gradient(known),
        jnp.zeros((), known.dtype),
        reduction,
        window_dimensions=(1, kernel_size, kernel_size, 1),
        window_strides=(1, stride, stride, 1),
        padding=((0, 0), pad, pad, (0, 0)),
    )
