"""Convolutions that double a map: transposed ones, one of repeated pixels, and pixels dealt out from channels."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.ops.convolution import convolve
from scan_jax.ops.strided_convolution import convolve_strided

Array = jax.Array

# Of kernel 3: output 2m reads tap 1 at input m; output 2m+1 reads 2 at m and 0 at m+1. [input offset, parity, tap]
_PLACES = np.array([[[0, 1, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]], np.float32)


def conv_transpose(x: Array, kernel: Array) -> Array:
    """The transposed convolution of kernel 4, stride 2 and padding 1.

    [B,H,W,C], [4,4,C,D] of one dtype -> [B,2H,2W,D], where output[2*i - 1 + k] += input[i] * kernel[k] along both axes.
    On a CPU it is a plain convolution of kernel 2, as the weight gradient of the dilated form is very slow there;
    elsewhere it is XLA's dilated form, for a TPU's compiler expects dealing pixels out to take five times as long
    (findings/libtpu-expects-dilated-doubling-to-be-faster.sh).
    ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[:3] != (4, 4, x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and kernel [4,4,C,D], not {x.shape} and {kernel.shape}")
    return _transpose(x, kernel)


def conv_transpose3(x: Array, kernel: Array) -> Array:
    """The transposed convolution of kernel 3, stride 2, padding 1 and output padding 1.

    [B,H,W,C], [3,3,C,D] of one dtype -> [B,2H,2W,D], where output[2*i - 1 + k] += input[i] * kernel[k] along both axes;
    in the same two forms. ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[:3] != (3, 3, x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and kernel [3,3,C,D], not {x.shape} and {kernel.shape}")
    return lax.platform_dependent(x, kernel, cpu=_deal_out3, default=transpose_by_xla)


def _deal_out3(x: Array, kernel: Array) -> Array:
    """Four pixels as the channels of one."""
    batch, height, width, channels = x.shape
    features, places = kernel.shape[3], jnp.asarray(_PLACES, x.dtype)
    # offsets a, b; parities r, s; taps k, l
    four = jnp.einsum("ark,bsl,klio->abirso", places, places, kernel)  # [2,2,C,2,2,D]
    y = convolve(x, four.reshape(2, 2, channels, -1), (0, 1))  # [B,H,W,4D]
    y = y.reshape(batch, height, width, 2, 2, features).transpose(0, 1, 3, 2, 4, 5)  # [B,H,2,W,2,D]
    return y.reshape(batch, 2 * height, 2 * width, features)


def convolve_doubled(x: Array, kernel: Array) -> Array:
    """A 3x3 convolution, padded by 1, of the map whose every pixel is repeated in a 2x2 square, which is never made.

    [B,H,W,C], [3,3,C,D] of one dtype -> [B,2H,2W,D]. Taps that would read the same pixel are added first, so that four
    products take the place of nine. ValueError for other shapes.
    """
    if kernel.shape[:2] != (3, 3):
        raise ValueError(f"kernel must be [3,3,C,D], not {kernel.shape}")
    return conv_transpose(x, _taps_of_pixels(_taps_of_pixels(kernel, 0), 1))


def _taps_of_pixels(kernel: Array, axis: int) -> Array:
    """Along one axis, the three taps on repeated pixels as the four of `conv_transpose` on the pixels themselves."""
    first, middle, last = jnp.split(kernel, 3, axis)
    return jnp.concatenate([last, middle + last, first + middle, first], axis)


@jax.custom_vjp
def _transpose(x: Array, kernel: Array) -> Array:
    return lax.platform_dependent(x, kernel, cpu=_deal_out, default=transpose_by_xla)


def transpose_by_xla(x: Array, kernel: Array) -> Array:
    """XLA's convolution of the map with zeros between its pixels; with a kernel of 4 or 3."""
    around, layout = (kernel.shape[0] - 2, 2), ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel[::-1, ::-1], (1, 1), (around, around), lhs_dilation=(2, 2), dimension_numbers=layout
    )


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


def _gradients_on_cpu(x: Array, kernel: Array, change: Array) -> tuple[Array, Array]:
    """What doubles the other way round halves: the gradient to the map is a convolution of stride 2."""
    to_map = convolve_strided(change, kernel.swapaxes(2, 3), 1, stride=2)  # [B,H,W,C]
    (to_kernel,) = jax.vjp(partial(_deal_out, x), kernel)[1](change)
    return to_map, to_kernel


def _gradients_by_xla(x: Array, kernel: Array, change: Array) -> tuple[Array, Array]:
    gradients: tuple[Array, Array] = jax.vjp(transpose_by_xla, x, kernel)[1](change)
    return gradients


def _backward(saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    gradients: tuple[Array, Array] = lax.platform_dependent(
        *saved, change, cpu=_gradients_on_cpu, default=_gradients_by_xla
    )
    return gradients


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
