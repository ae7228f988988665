"""Portraits from their number: the painters of all parts, from back to front."""

from __future__ import annotations

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.data.portraits.accessories import paint_earrings, paint_glasses, paint_hat, paint_necklace
from scan_jax.data.portraits.backdrop import paint_backdrop
from scan_jax.data.portraits.body import paint_clothes, paint_neck
from scan_jax.data.portraits.canvas import Canvas, develop, to_image, to_labels
from scan_jax.data.portraits.hair import paint_back_hair, paint_beard, paint_front_hair
from scan_jax.data.portraits.head import paint_brows, paint_ears, paint_eyes, paint_face, paint_mouth, paint_nose
from scan_jax.data.portraits.sampling import sample_traits
from scan_jax.data.portraits.traits import Traits

SMALLEST = 16
SUPERSAMPLED_UP_TO = 160  # below this a sample a pixel would lose lashes and rims
BACK_TO_FRONT = (
    *(paint_back_hair, paint_neck, paint_clothes, paint_necklace, paint_ears, paint_earrings),
    *(paint_face, paint_beard, paint_mouth, paint_nose, paint_eyes, paint_brows),
    *(paint_glasses, paint_front_hair, paint_hat),
)


def portrait(seed: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The drawn portrait number `index` of the population `seed`.

    Depends on nothing but its arguments. The same face appears at every size, so portraits at 64 and at 512 pixels
    are one data set at two resolutions.

    Args:
      seed: the population, non-negative.
      index: the person within it, non-negative.
      size: side in pixels, at least 16.

    Returns:
      image uint8 [size,size,3], RGB, and labels uint8 [size,size] with the classes of `labels.Part`, 0-18.

    Raises:
      UserError: a size or number out of range.
    """
    if size < SMALLEST:
        raise UserError(f"a portrait is at least {SMALLEST} pixels a side, not {size}; ask for a larger size")
    if seed < 0 or index < 0:
        raise UserError(f"a portrait's seed and index count from 0, not seed={seed}, index={index}")
    return draw(sample_traits(seed, index), size)


def draw(traits: Traits, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 [size,size,3] and labels uint8 [size,size] of a person with these traits."""
    factor = 2 if size <= SUPERSAMPLED_UP_TO else 1
    canvas = Canvas(size * factor)
    paint_backdrop(canvas, traits.backdrop, traits.light)
    for paint in BACK_TO_FRONT:
        paint(canvas, traits)
    develop(canvas, traits.light, traits.grain)
    return to_image(canvas.rgb, factor), to_labels(canvas.labels, factor)
