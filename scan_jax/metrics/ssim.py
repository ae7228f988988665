"""Structural similarity (Wang et al. 2004), with the authors' own window and constants."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.metrics.arguments import check_images
from scan_jax.types import Array

WINDOW = 11  # pixels
SIGMA = 1.5  # pixels
K1, K2 = 0.01, 0.03


def _window_matrix(side: int) -> Array:
    """[side-10, side]: row i holds the Gaussian weights of the window that begins at pixel i; each sums to one."""
    offsets = np.arange(side) - np.arange(side - WINDOW + 1)[:, None]  # [side-10,side]
    weights = np.exp(-0.5 * np.square((offsets - WINDOW // 2) / SIGMA)) * ((offsets >= 0) & (offsets < WINDOW))
    return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), jnp.float32)


def _local_mean(x: Array) -> Array:
    """Gaussian mean around every pixel whose window lies inside: [B,H,W,C] -> [B,H-10,W-10,C].

    Two products with banded matrices, which every backend has fast; XLA's convolution of single channels is many times
    slower on the CPU.
    """
    rows, columns = _window_matrix(x.shape[1]), _window_matrix(x.shape[2])  # [H-10,H], [W-10,W]
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)


@jax.jit
def ssim(image: Array, reference: Array) -> Array:
    """Mean structural similarity: Gaussian window of 11 pixels, sigma 1.5, windows inside the image only, per channel.

    Equals scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1` and `channel_axis`, and the authors' MATLAB code but for its grey conversion.

    Args:
      image: [B,H,W,C] float in [0, 1]; height and width at least 11.
      reference: [B,H,W,C] likewise.

    Returns:
      [B] float32, at most 1.

    Raises:
      ValueError: the arguments are not two equal batches of float images, or smaller than the window.
    """
    check_images(image, reference)
    _, height, width, _ = image.shape
    if min(height, width) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, not {height}x{width}")
    # Float32 loses digits where a variance is the difference of two large means. Variances do not change with a shift,
    # so channels turn about their mean, and both factors are 1 minus a term of the difference, which is small.
    centre = reference.astype(jnp.float32).mean((1, 2), keepdims=True)  # [B,1,1,C]
    x, y = (a.astype(jnp.float32) - centre for a in (image, reference))  # [B,H,W,C]
    difference = x - y
    mean_x, mean_y, mean_difference = _local_mean(x), _local_mean(y), _local_mean(difference)  # [B,H-10,W-10,C]
    variances = _local_mean(x * x + y * y) - mean_x**2 - mean_y**2
    variance_of_difference = _local_mean(difference**2) - mean_difference**2  # var x + var y - 2 cov(x, y)
    mean_square = (mean_x + centre) ** 2 + (mean_y + centre) ** 2
    luminance = 1 - mean_difference**2 / (mean_square + K1**2)  # (2 mx my + C1) / (mx^2 + my^2 + C1)
    structure = 1 - variance_of_difference / (variances + K2**2)  # (2 cov + C2) / (var x + var y + C2)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))  # [B]
