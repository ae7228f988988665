"""What every metric asks of its arguments, in one place."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.types import Array


def check_images(image: Array, reference: Array) -> None:
    """Refuses anything but two equal batches of float images, so that nothing is broadcast silently.

    Args:
      image: [B,H,W,C].
      reference: [B,H,W,C].

    Raises:
      ValueError: another rank, unequal shapes, or pixels that are not floating point.
    """
    if image.ndim != 4 or image.shape != reference.shape:
        raise ValueError(f"two equal batches [B,H,W,C] are needed, not {image.shape} and {reference.shape}")
    for array in (image, reference):
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(f"pixels must be floating point in [0, 1], not {array.dtype}")
