"""Signed distances (negative inside) and soft steps, all elementwise on float32 arrays of one shape [h,w].

The distances are exact for circles and boxes and first-order for the rest: good enough to antialias an edge.
"""

from __future__ import annotations

import numpy as np

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
