"""Drawn portraits with semantic labels: a data set that needs no download.

`portrait(seed, index, size)` draws one face: a person's traits, all drawn before a pixel exists, are painted from back
to front. The same arguments give the same pixels, and the same face at any size.
"""

from __future__ import annotations

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.data.portraits.backdrop import paint_backdrop
from scan_jax.data.portraits.body import paint_clothes, paint_earrings, paint_glasses, paint_neck, paint_necklace
from scan_jax.data.portraits.canvas import CLASS_NAMES, Canvas, Part, to_image, to_labels
from scan_jax.data.portraits.hair import paint_back_hair, paint_beard, paint_front_hair, paint_hat
from scan_jax.data.portraits.head import paint_brows, paint_ears, paint_eyes, paint_face, paint_mouth, paint_nose
from scan_jax.data.portraits.sdf import grid_noise
from scan_jax.data.portraits.traits import Traits, sample_traits

__all__ = ["CLASS_NAMES", "Part", "portrait"]

MIN_SIDE = 16
SUPERSAMPLED_UP_TO = 160  # below this a sample a pixel would lose lashes and rims
GRAIN_CELLS = 90.0  # lattice cells per unit of the canvas
BACK_TO_FRONT = (
    *(paint_back_hair, paint_neck, paint_clothes, paint_necklace, paint_ears, paint_earrings),
    *(paint_face, paint_beard, paint_mouth, paint_nose, paint_eyes, paint_brows),
    *(paint_glasses, paint_front_hair, paint_hat),
)


def portrait(seed: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The person `index` (from 0) of the population `seed` (from 0), `size` pixels a side, at least 16.

    image uint8 [size,size,3], RGB, and labels uint8 [size,size] with the classes of `Part`, 0-18; a UserError where the
    size or a number is out of range.
    """
    if size < MIN_SIDE:
        raise UserError(f"a portrait is at least {MIN_SIDE} pixels a side, not {size}; ask for a larger size")
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
    grain = grid_noise(canvas.x * GRAIN_CELLS + traits.grain[0], canvas.y * GRAIN_CELLS + traits.grain[1])  # [n,n]
    canvas.rgb *= traits.light.tint[:, None, None]
    canvas.rgb += 0.018 * (grain - 0.5)
    return to_image(canvas.rgb, factor), to_labels(canvas.labels, factor)
