"""Mean absolute error."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scan_jax.metrics.arguments import check_images
from scan_jax.types import Array


@jax.jit
def mae(image: Array, reference: Array) -> Array:
    """Mean absolute difference over all pixels and channels, in per cent of the range.

    Args:
      image: [B,H,W,C] float in [0, 1].
      reference: [B,H,W,C] likewise.

    Returns:
      [B] float32 in [0, 100].

    Raises:
      ValueError: the arguments are not two equal batches of float images.
    """
    check_images(image, reference)
    error = image.astype(jnp.float32) - reference.astype(jnp.float32)  # [B,H,W,C]
    return 100.0 * jnp.mean(jnp.abs(error), axis=(1, 2, 3))  # [B]
