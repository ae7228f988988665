"""Peak signal-to-noise ratio."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.sums import mean

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
