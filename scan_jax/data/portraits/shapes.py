"""Signed distances (negative inside) and soft steps, all elementwise on float32 arrays of one shape [h,w].

The distances are exact for circles and boxes and first-order for the rest: good enough to antialias an edge.
"""

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

Field = np.ndarray


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high` (or the reverse where low > high), smooth between."""
    t = np.clip((value - low) * (1.0 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def bump(u: Field, v: Field, width: float, height: float) -> Field:
    """A Gaussian of standard deviations `width` and `height` around the origin, 1 at its top."""
    return np.exp(-0.5 * ((u * (1 / width)) ** 2 + (v * (1 / height)) ** 2))


def circle(u: Field, v: Field, radius: float) -> Field:
    """Distance to a circle around the origin."""
    return np.sqrt(u * u + v * v) - radius


def ellipse(u: Field, v: Field, width: float, height: float) -> Field:
    """Distance to an ellipse of half-axes `width`, `height` around the origin: its level function over its slope."""
    du, dv = u * (1 / width), v * (1 / height)
    square = du * du + dv * dv
    slope = np.sqrt((du * (1 / width)) ** 2 + (dv * (1 / height)) ** 2)
    radius = np.sqrt(square)
    return (square - radius) / np.maximum(slope, 1e-4)


def egg(u: Field, v: Field, width: float, above: float, below: float) -> Field:
    """As `ellipse`, fuller (between an ellipse and its fourth-power superellipse) and unlike above and below."""
    height = np.where(v < 0, np.float32(1 / above), np.float32(1 / below))
    du, dv = u * (1 / width), v * height
    a, b = du * du, dv * dv
    square = 0.62 * (a + b) + 0.38 * np.sqrt(a * a + b * b)
    slope = np.sqrt((du * (1 / width)) ** 2 + (dv * height) ** 2)
    radius = np.sqrt(square)
    return (square - radius) / np.maximum(slope, 1e-4)


def box(u: Field, v: Field, width: float, height: float, corner: float) -> Field:
    """Distance to a box of half-sides `width`, `height` with corners of radius `corner`."""
    du, dv = np.abs(u) - (width - corner), np.abs(v) - (height - corner)
    outside = np.sqrt(np.maximum(du, 0) ** 2 + np.maximum(dv, 0) ** 2)
    return outside + np.minimum(np.maximum(du, dv), 0) - corner


def segment(u: Field, v: Field, start: tuple[float, float], end: tuple[float, float], radius: float) -> Field:
    """Distance to a thick line with round ends."""
    (au, av), (bu, bv) = start, end
    du, dv = bu - au, bv - av
    along = np.clip(((u - au) * du + (v - av) * dv) * (1 / (du * du + dv * dv)), 0, 1)
    return np.sqrt((u - au - along * du) ** 2 + (v - av - along * dv) ** 2) - radius


def rotate(u: Field, v: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates in axes turned by `angle` radians (clockwise on the screen, where v points down)."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return u * c + v * s, v * c - u * s


def turn(u: Field, yaw: float) -> Field:
    """Undo a head's turn: the frontal coordinate seen at `u` on a cylinder of radius 1 turned by `yaw` radians."""
    return u * float(np.cos(yaw)) - np.sqrt(np.maximum(1 - u * u, 0)) * float(np.sin(yaw))


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
