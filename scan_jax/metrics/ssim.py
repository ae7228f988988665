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


def _gaussian_window() -> Array:
    """[WINDOW] Gaussian weights that sum to one."""
    offsets = np.arange(WINDOW) - WINDOW // 2  # [WINDOW]
    weights = np.exp(-0.5 * np.square(offsets / SIGMA))
    return jnp.asarray(weights / weights.sum(), jnp.float32)


def _local_mean(x: Array) -> Array:
    """Gaussian mean around every pixel whose window lies inside: [N,H,W,1] -> [N,H-10,W-10,1]."""
    window = _gaussian_window()
    for kernel in (window.reshape(WINDOW, 1, 1, 1), window.reshape(1, WINDOW, 1, 1)):  # HWIO
        x = lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=lax.Precision.HIGHEST
        )
    return x


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
    batch, height, width, _ = image.shape
    if min(height, width) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, not {height}x{width}")
    # Variances do not change with a shift, and in float32 lose the fewest digits near zero: images turn about mid-grey.
    x, y = (_planes(a) - 0.5 for a in (image, reference))  # [B*C,H,W,1]
    mean_x, mean_y = _local_mean(x), _local_mean(y)  # [B*C,H-10,W-10,1]
    variances = _local_mean(x * x + y * y) - mean_x * mean_x - mean_y * mean_y
    covariance = _local_mean(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variances + K2**2)
    return jnp.mean((luminance * structure).reshape(batch, -1), axis=1)  # [B]


def _planes(image: Array) -> Array:
    """[B,H,W,C] -> [B*C,H,W,1] float32."""
    batch, height, width, channels = image.shape
    planes = jnp.moveaxis(image.astype(jnp.float32), 3, 1)  # [B,C,H,W]
    return planes.reshape(batch * channels, height, width, 1)
