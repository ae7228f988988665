"""Convolutions whose output is as large as their input, divided by the stride: TensorFlow's padding "SAME".

Those of stride 1 are `convolution.convolve`. With a stride or a dilation it is the compiler's own form, but for strides
down to maps of a few pixels, where one product over all taps has by far the faster gradient to the map on a CPU.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from scan_jax.ops.convolution import Padding, convolve

Array = jax.Array


def same_padding(size: int, kernel_size: int, stride: int) -> Padding:
    """Zeros before and after an axis, for an output of ceil(size / stride); of an odd number, the last goes behind.

    Args:
      size: of the axis.
      kernel_size: of the kernel, with the gaps that a dilation makes.
      stride: of the convolution.
    """
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def convolve_same(x: Array, kernel: Array, *, stride: int = 1, dilation: int = 1) -> Array:
    """A convolution padded as TensorFlow does.

    Args:
      x: [B,H,W,C].
      kernel: [k,k,C,D], k odd, in the dtype of x.
      stride: of the outputs.
      dilation: of the taps.

    Returns:
      [B,ceil(H/stride),ceil(W/stride),D].

    Raises:
      ValueError: the shapes are not those.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[0] % 2 == 0 or kernel.shape[2] != x.shape[3]:
        raise ValueError(f"x must be [B,H,W,C] and kernel [k,k,C,D], k odd, not {x.shape} and {kernel.shape}")
    if stride == dilation == 1:
        return convolve(x, kernel, (kernel.shape[0] // 2,) * 2)
    reach = dilation * (kernel.shape[0] - 1) + 1
    rows, columns = (same_padding(side, reach, stride) for side in x.shape[1:3])
    if dilation == 1 and _is_small(x, kernel, stride):
        return _by_products(jnp.pad(x, ((0, 0), rows, columns, (0, 0))), kernel, stride)
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        (rows, columns),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _is_small(x: Array, kernel: Array, stride: int) -> bool:
    """Whether the kernel outweighs the output; a map whose size is not known yet (`jax.export`) counts as large."""
    pixels = x.shape[0] * -(-x.shape[1] // stride) * -(-x.shape[2] // stride)
    return isinstance(pixels, int) and pixels <= 2 * kernel.shape[3]


def _by_products(padded: Array, kernel: Array, stride: int) -> Array:
    """One product over all taps of a padded map."""
    batch, *sides, channels = padded.shape
    size = kernel.shape[0]
    high, wide = ((side - size) // stride + 1 for side in sides)
    taps = [
        padded[:, i : i + (high - 1) * stride + 1 : stride, j : j + (wide - 1) * stride + 1 : stride]
        for i in range(size)
        for j in range(size)
    ]
    neighbours = jnp.concatenate(taps, axis=-1).reshape(-1, size * size * channels)  # [B*H'*W',k*k*C]
    return (neighbours @ kernel.reshape(-1, kernel.shape[3])).reshape(batch, high, wide, -1)
