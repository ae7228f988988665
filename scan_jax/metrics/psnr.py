"""Peak signal-to-noise ratio."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scan_jax.metrics.arguments import check_images
from scan_jax.types import Array


@jax.jit
def psnr(image: Array, reference: Array) -> Array:
    """`10 log10(1 / MSE)` in dB, the error averaged over all pixels and channels of an image.

    Equals scikit-image's `peak_signal_noise_ratio(..., data_range=1)`.

    Args:
      image: [B,H,W,C] float in [0, 1].
      reference: [B,H,W,C] likewise.

    Returns:
      [B] float32; infinite where the images are identical.

    Raises:
      ValueError: the arguments are not two equal batches of float images.
    """
    check_images(image, reference)
    error = image.astype(jnp.float32) - reference.astype(jnp.float32)  # [B,H,W,C]
    return -10.0 * jnp.log10(jnp.mean(jnp.square(error), axis=(1, 2, 3)))  # [B]
