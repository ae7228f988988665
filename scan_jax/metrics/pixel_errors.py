"""Peak signal-to-noise ratio."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.core.types import Array
from scan_jax.metrics.api import mean, total

# 10 log10(2), in a part of few binary digits, of which small multiples are exact, and the rest.
OCTAVE_HIGH, OCTAVE_LOW = 3.0078125, 0.002487456639812091  # dB


def psnr(x: Array, y: Array, span: float) -> Array:
    """`10 log10(span^2 / MSE)` in dB, the error averaged over all pixels and channels of an image.

    Equals scikit-image's `peak_signal_noise_ratio(..., data_range=span)`.

    Args:
      x: [B,H,W,C]; whole numbers keep all digits.
      y: [B,H,W,C] likewise.
      span: the range of the values.

    Returns:
      [B] float32; infinite where the images are identical.
    """
    return decibels(mean(jnp.square(x - y)) / span**2)


def decibels(ratio: Array) -> Array:
    """`-10 log10(ratio)`, rounded once: of 60 dB, float32 has no digit to spare below 1e-5. Infinite for 0."""
    mantissa, exponent = jnp.frexp(ratio)  # ratio = mantissa 2^exponent, mantissa in [0.5, 1)
    octaves = exponent.astype(jnp.float32)
    return -(octaves * OCTAVE_HIGH + (octaves * OCTAVE_LOW + 10.0 * jnp.log10(mantissa)))


def mae(x: Array, y: Array, span: float) -> Array:
    """Mean absolute difference over all pixels and channels, as a fraction of the range.

    Args:
      x: [B,H,W,C].
      y: [B,H,W,C].
      span: the range of the values.

    Returns:
      [B] float32 in [0, 1].
    """
    return mean(jnp.abs(x - y)) / span


# Linear sRGB to CIE XYZ over the white of illuminant D65, 2 degrees, as in scikit-image's `rgb2lab`.
WHITE = np.array([0.95047, 1.0, 1.08883])
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
LINEAR_BELOW, SLOPE, OFFSET = 0.008856, 7.787, 16 / 116  # of CIELAB's cube root


def colour_shift(x: Array, y: Array, hole: Array) -> Array:
    """CIE76 colour difference between the mean colours of the hole in `x` and in `y`, means taken in CIELAB.

    Not in linear light: there a blurred fill is darker than the texture it stands for, although nobody sees another
    colour, while CIELAB's lightness is nearly that of the levels, in which networks and filters average.

    Args:
      x: [B,H,W,3], sRGB at 8 bits, whole numbers 0..255.
      y: [B,H,W,3] likewise.
      hole: [B,H,W,1] bool.

    Returns:
      [B] float32, Delta E; 0 where there is no hole. About 2 is just visible.
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
    return jnp.where(xyz > LINEAR_BELOW, jnp.cbrt(xyz), SLOPE * xyz + OFFSET)


RANGE = 255.0  # of `levels`
# Luma of ITU-R BT.709 as scikit-image's `rgb2gray` has it (0.2125, 0.7154, 0.0721), in ten-thousandths.
GREY_WEIGHTS = (2125.0, 7154.0, 721.0)
GREY_RANGE = RANGE * sum(GREY_WEIGHTS)  # of `grey`: 2,550,000, below 2^24


def levels(image: Array) -> Array:
    """An 8-bit image given as floats, back at its levels: [B,H,W,C] in [0, 1] -> float32, whole numbers 0..255.

    Differences of k/255 in float32 are wrong in the fifth digit; those of whole numbers are exact.
    """
    return jnp.round(RANGE * image.astype(jnp.float32))


def grey(image: Array) -> Array:
    """scikit-image's grey of an 8-bit image, times 2,550,000: [B,H,W,3] in [0, 1] -> [B,H,W,1], whole numbers."""
    weighted = levels(image) * np.asarray(GREY_WEIGHTS, np.float32).reshape(1, 1, 1, 3)  # [B,H,W,3]
    return weighted.sum(axis=3, keepdims=True)
