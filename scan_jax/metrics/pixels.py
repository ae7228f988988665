"""Arithmetic of pixels, from which metrics are made: errors, structural similarity, colours, seams.

Pictures are levels: whole numbers 0..255 in float32. Which of it is reported under which name: `standard.METRICS`.
"""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.core.types import Array

RANGE = 255.0  # of levels
# Luma of ITU-R BT.709 as scikit-image's `rgb2gray` has it (0.2125, 0.7154, 0.0721), in ten-thousandths.
GREY_WEIGHTS = (2125.0, 7154.0, 721.0)
GREY_RANGE = RANGE * sum(GREY_WEIGHTS)  # of `grey`: 2,550,000, below 2^24


def grey(x: Array) -> Array:
    """scikit-image's grey times 2,550,000: levels [B,H,W,3] -> [B,H,W,1], whole numbers."""
    return (x * np.asarray(GREY_WEIGHTS, np.float32).reshape(1, 1, 1, 3)).sum(axis=3, keepdims=True)


def total(x: Array) -> Array:
    """Sum over everything but the first axis, in groups of groups: [B,...] -> [B] float32.

    A running sum of a million terms loses the sixth digit; here an error grows with the logarithm of their number.
    """
    x = x.astype(jnp.float32).reshape(x.shape[0], math.prod(x.shape[1:]))  # [B,N]
    while x.shape[1] > 1:
        group = min(64, x.shape[1])  # terms added one after the other
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % group)))  # [B,group*M]
        x = x.reshape(x.shape[0], group, x.shape[1] // group).sum(axis=1)  # [B,M]
    return x.sum(axis=1)  # of one, or of nothing


def mean(x: Array) -> Array:
    """Mean over everything but the first axis: [B,...] -> [B] float32."""
    return total(x) / math.prod(x.shape[1:])


def psnr(x: Array, y: Array, span: float) -> Array:
    """`10 log10(span^2 / MSE)` in dB over pixels and channels: [B,H,W,C] twice -> [B] float32, infinite if identical.

    Equals scikit-image's `peak_signal_noise_ratio(..., data_range=span)`; whole numbers keep all digits.
    """
    return decibels(mean(jnp.square(x - y)) / span**2)


def decibels(ratio: Array) -> Array:
    """`-10 log10(ratio)`, rounded once: of 60 dB, float32 has no digit to spare below 1e-5. Infinite for 0."""
    mantissa, exponent = jnp.frexp(ratio)  # ratio = mantissa 2^exponent, mantissa in [0.5, 1)
    octaves = exponent.astype(jnp.float32)
    # 10 log10(2), in a part of few binary digits, of which small multiples are exact, and the rest.
    high, low = 3.0078125, 0.002487456639812091  # dB
    return -(octaves * high + (octaves * low + 10.0 * jnp.log10(mantissa)))


# Linear sRGB to CIE XYZ over the white of illuminant D65, 2 degrees, as in scikit-image's `rgb2lab`.
WHITE = np.array([0.95047, 1.0, 1.08883])
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])


def colour_shift(x: Array, y: Array, hole: Array) -> Array:
    """CIE76 colour difference (Delta E) between the mean colours of the hole in `x` and in `y`, means taken in CIELAB.

    Not in linear light: there a blurred fill is darker than the texture it stands for, although nobody sees another
    colour, while CIELAB's lightness is nearly that of the levels, in which networks and filters average.

    sRGB levels [B,H,W,3] twice, bool [B,H,W,1] -> [B] float32; 0 where there is no hole. About 2 is just visible.
    """
    difference = jnp.where(hole, _cube_roots(x) - _cube_roots(y), 0)  # [B,H,W,3]: f(X), f(Y), f(Z)
    pixels = jnp.maximum(total(hole), 1)  # [B]
    fx, fy, fz = (total(difference[..., i]) / pixels for i in range(3))  # [B]
    return jnp.sqrt((116 * fy) ** 2 + (500 * (fx - fy)) ** 2 + (200 * (fy - fz)) ** 2)


def _cube_roots(x: Array) -> Array:
    """The f(X/Xn), f(Y/Yn), f(Z/Zn) that CIELAB is made of: levels [B,H,W,3] -> [B,H,W,3]."""
    codes = np.arange(256) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)  # [256]
    light = jnp.asarray(linear, jnp.float32)[x.astype(jnp.int32)]  # [B,H,W,3]
    matrix = jnp.asarray(XYZ / WHITE[:, None], jnp.float32)
    xyz = jnp.einsum("bhwc,dc->bhwd", light, matrix, precision=lax.Precision.HIGHEST)
    return jnp.where(xyz > 0.008856, jnp.cbrt(xyz), 7.787 * xyz + 16 / 116)


def seam(x: Array, y: Array, hole: Array) -> Array:
    """How much more neighbours differ across the hole's border in `x` than in `y`.

    The mean of (jump in x) - (jump in y) over all pairs of pixels that share an edge and of which one is in the hole; a
    jump is the mean absolute difference over the channels. Above 0 the seam shows, below 0 the border is blurred.

    [B,H,W,C] twice, bool [B,H,W,1] -> [B] float32 in the unit of the values; 0 where there are no such pairs.
    """
    excess, pairs = jnp.zeros(len(x)), jnp.zeros(len(x))  # [B]
    for axis in (1, 2):
        across = jnp.diff(hole, axis=axis)  # [B,H-1,W,1], then [B,H,W-1,1]: exactly one is in the hole
        jumps = jnp.abs(jnp.diff(x, axis=axis)) - jnp.abs(jnp.diff(y, axis=axis))  # [B,H-1,W,C], then [B,H,W-1,C]
        excess += total(jnp.where(across, jumps, 0))
        pairs += total(across)
    return excess / (x.shape[3] * jnp.maximum(pairs, 1))


def ssim(x: Array, y: Array, window: Window, span: float) -> Array:
    """Mean structural similarity over all windows inside the image and all channels.

    Equals scikit-image's `structural_similarity` with `data_range=span`, `channel_axis`, and `win_size` for uniform
    windows or `gaussian_weights=True, sigma=1.5, use_sample_covariance=False` for the Gaussian one.

    [B,H,W,C] twice, of a range `span` -> [B] float32, at most 1. ValueError for images smaller than the window.
    """
    return 1 - mean(dissimilarity(x, y, window, span))


def dissimilarity(x: Array, y: Array, window: Window, span: float) -> Array:
    """1 minus the similarity in every window inside: [B,H,W,C] twice -> [B,H-side+1,W-side+1,C], in [0, 2].

    With the sum s and the difference d of the images, `mx^2 + my^2 = (ms^2 + md^2) / 2` and likewise the variances;
    `2 mx my = mx^2 + my^2 - md^2` and `2 cov(x, y) = var x + var y - var d`. So both factors of the similarity are 1
    minus a term of the difference, which is small where the images are alike.
    """
    if min(x.shape[1:3]) < window.side:
        height, width = x.shape[1:3]
        raise ValueError(f"SSIM needs images of at least {window.side}x{window.side} pixels here, not {height}x{width}")
    # Float32 loses digits where a variance is the difference of two large means. Variances do not change with a shift,
    # so channels turn about their mean, rounded so that whole numbers stay whole.
    centre = jnp.round(x.mean((1, 2), keepdims=True) + y.mean((1, 2), keepdims=True))  # [B,1,1,C]
    both, difference = x + y - centre, x - y  # [B,H,W,C]
    mean_both, variance_of_both = _moments(both, window)  # [B,H-side+1,W-side+1,C]
    mean_difference, variance_of_difference = _moments(difference, window)
    squares = ((mean_both + centre) ** 2 + mean_difference**2) / 2  # mx^2 + my^2
    variances = (variance_of_both + variance_of_difference) / 2  # var x + var y
    luminance = mean_difference**2 / (squares + (0.01 * span) ** 2)  # 1 - (2 mx my + C1) / (mx^2 + my^2 + C1)
    structure = variance_of_difference / (variances + (0.03 * span) ** 2)  # 1 - (2 cov + C2) / (var x + var y + C2)
    return luminance + structure - luminance * structure


def _moments(x: Array, window: Window) -> tuple[Array, Array]:
    """Mean and variance in every window inside: [B,H,W,C] -> twice [B,H-side+1,W-side+1,C]."""
    means = local_mean(x, window)
    return means, window.correction * (local_mean(x * x, window) - means * means)


@dataclasses.dataclass(frozen=True)
class Window:
    """A square window of separable weights."""

    weights: tuple[float, ...]  # along one axis; an odd number of them
    # What variances under it are multiplied with: 1, or n / (n - 1) for those of a sample of n pixels
    correction: float = 1.0

    @property
    def side(self) -> int:
        """Pixels along one axis."""
        return len(self.weights)


def uniform(side: int) -> Window:
    """Equal weights and the variances of a sample, as scikit-image's `structural_similarity` has them by default."""
    return Window((1.0,) * side, side**2 / (side**2 - 1))


# 11 pixels, sigma 1.5, plain variances: of Wang et al. (2004).
GAUSSIAN = Window(tuple(math.exp(-0.5 * (i / 1.5) ** 2) for i in range(-5, 6)))


def local_mean(x: Array, window: Window) -> Array:
    """Weighted mean under every window that lies inside: [B,H,W,C] -> [B,H-side+1,W-side+1,C] float32.

    Two products with banded matrices, which every backend has fast: XLA's convolution of single channels is many times
    slower on the CPU, sums of shifted images twice as slow. Sums of whole numbers below 2^24 are exact.
    """
    rows, columns = _bands(x.shape[1], window), _bands(x.shape[2], window)  # [H-side+1,H], [W-side+1,W]
    sums = jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)
    return sums / np.asarray(window.weights, np.float32).sum(dtype=float) ** 2  # of the weights as they were rounded


def _bands(length: int, window: Window) -> Array:
    """[length-side+1,length]: row i holds the weights of the window that begins at pixel i."""
    starts = np.arange(length - window.side + 1)[:, None]  # [length-side+1,1]
    bands = np.zeros((len(starts), length), np.float32)
    bands[starts, starts + np.arange(window.side)] = window.weights
    return jnp.asarray(bands)
