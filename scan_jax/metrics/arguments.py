"""What every metric asks of its arguments, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array

Measure = Callable[[Any, Array, Array, Array], Array]  # `Metric.measure`


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


def check_known(image: Array, known: Array) -> None:
    """Refuses a `known` that does not belong to these images.

    Args:
      image: [B,H,W,3].
      known: [B,H,W,1].

    Raises:
      ValueError: another number of channels, or another shape than the images have.
    """
    if image.shape[3] != 3 or known.shape != (*image.shape[:3], 1):
        raise ValueError(f"images [B,H,W,3] and known [B,H,W,1] are needed, not {image.shape} and {known.shape}")


def of_images(function: Callable[[Array, Array], Array]) -> Measure:
    """A function of image and photograph, [B,H,W,3] twice -> [B], as `Metric.measure`: checked and jitted."""
    return of_hole(lambda image, photograph, hole: function(image, photograph))


def of_hole(function: Callable[[Array, Array, Array], Array]) -> Measure:
    """A function of image, photograph and hole, [B,H,W,1] bool, as `Metric.measure`: checked and jitted."""

    @jax.jit
    def measure(parameters: Any, image: Array, photograph: Array, known: Array) -> Array:
        check_images(image, photograph)
        check_known(image, known)
        return function(image, photograph, known <= 0.5)

    return measure
