"""Two ways for a convolution to double a map: the transposed form, and pixels dealt out from channels."""

from __future__ import annotations

from functools import partial

import jax

from scan_jax.ops.convolution import convolve
from scan_jax.ops.strided_convolution import convolve_strided

Array = jax.Array


def conv_transpose(x: Array, kernel: Array) -> Array:
    """The transposed convolution of kernel 4, stride 2 and padding 1, as a plain one of kernel 2.

    [B,H,W,C], [4,4,C,D] of one dtype -> [B,2H,2W,D], where output[2*i - 1 + k] += input[i] * kernel[k] along both axes.
    The same weights and result as the dilated form, whose weight gradient is very slow on a CPU; no tap meets a zero
    that was put in between. ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[:3] != (4, 4, x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and kernel [4,4,C,D], not {x.shape} and {kernel.shape}")
    return _transpose(x, kernel)


def _deal_out(x: Array, kernel: Array) -> Array:
    """Four pixels as the channels of one."""
    batch, height, width, channels = x.shape
    features = kernel.shape[3]
    # Position m reads the inputs m-1 and m, and makes the outputs 2m-1 and 2m: tap k is 2 * (1 - input) + output.
    taps = kernel.reshape(2, 2, 2, 2, channels, features)[::-1, :, ::-1]  # [input, output, input, output, C, D]
    four = taps.transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, channels, 4 * features)  # [2,2,C,4D]
    y = convolve(x, four, (1, 1)).reshape(batch, height + 1, width + 1, 2, 2, features)  # [B,H+1,W+1,2,2,D]
    y = y.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height + 2, 2 * width + 2, features)
    return y[:, 1:-1, 1:-1]


_transpose = jax.custom_vjp(_deal_out)


def _backward(saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    """What doubles the other way round halves: the gradient to the map is a convolution of stride 2."""
    x, kernel = saved
    to_map = convolve_strided(change, kernel.swapaxes(2, 3), 1, stride=2)  # [B,H,W,C]
    (to_kernel,) = jax.vjp(partial(_deal_out, x), kernel)[1](change)
    return to_map, to_kernel


_transpose.defvjp(lambda x, kernel: (_transpose(x, kernel), (x, kernel)), _backward)


def shuffle_pixels(x: Array) -> Array:
    """Four channels of a pixel become four pixels of a channel (Shi et al. 2016): [B,H,W,4C] -> [B,2H,2W,C].

    Channel 4*c + 2*i + j of a pixel goes to row i and column j of its cell in channel c. ValueError for other shapes.
    """
    if x.ndim != 4 or x.shape[3] % 4:
        raise ValueError(f"pixels are dealt out from [B,H,W,4C], not {x.shape}")
    batch, height, width, channels = x.shape
    y = x.reshape(batch, height, width, channels // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3)  # [B,H,2,W,2,C]
    return y.reshape(batch, 2 * height, 2 * width, channels // 4)
