"""Signed distance functions (SDF), soft steps and value noise, elementwise on float32 arrays [h,w].

A distance is negative inside; exact for circles and boxes, first-order for the rest, good enough to antialias an edge.
"""

from __future__ import annotations

import numpy as np

Field = np.ndarray  # float32 [h,w], or [3,h,w] where it is colours
# The lattices of the noise.
_PERIOD = 256
_PLANE = np.random.default_rng(0x5CA1).random((_PERIOD, _PERIOD), np.float32)  # [256,256]
_LINE = np.random.default_rng(0x5CA2).random(4 * _PERIOD, np.float32)  # [1024]


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
    return _over_slope(du * du + dv * dv, du * (1 / width), dv * (1 / height))


def egg(u: Field, v: Field, width: float, above: float, below: float) -> Field:
    """As `ellipse`, fuller (between an ellipse and its fourth-power superellipse) and unlike above and below."""
    height = np.where(v < 0, np.float32(1 / above), np.float32(1 / below))
    du, dv = u * (1 / width), v * height
    a, b = du * du, dv * dv
    return _over_slope(0.62 * (a + b) + 0.38 * np.sqrt(a * a + b * b), du * (1 / width), dv * height)


def _over_slope(square: Field, across: Field, down: Field) -> Field:
    """The distance to where `square` is 1, to first order."""
    return (square - np.sqrt(square)) / np.maximum(np.sqrt(across**2 + down**2), 1e-4)


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


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lattice cell (int32) and smoothed fraction within it, both of the shape of `position`."""
    floor = np.floor(position)
    fraction = position - floor
    return floor.astype(np.int32), fraction * fraction * (3 - 2 * fraction)


def cell_value(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The lattice value of whole cells (`int32` or float arrays that broadcast), in [0, 1]."""
    return _PLANE[np.asarray(row, np.int32) & (_PERIOD - 1), np.asarray(column, np.int32) & (_PERIOD - 1)]


def line_noise(position: np.ndarray) -> np.ndarray:
    """One-dimensional value noise of unit cell size at `position` (any shape)."""
    cell, fraction = _split(position)
    size = _LINE.size - 1
    left = _LINE.take(cell & size)
    return left + (_LINE.take((cell + 1) & size) - left) * fraction


def plane_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two-dimensional value noise of unit cell size at the points (x, y), both [h,w]."""
    column, across = _split(x)
    row, down = _split(y)
    wrap = _PERIOD - 1
    flat = _PLANE.reshape(-1)
    left, right = column & wrap, (column + 1) & wrap
    above, below = (row & wrap) * _PERIOD, ((row + 1) & wrap) * _PERIOD
    top = flat.take(above + left) * (1 - across) + flat.take(above + right) * across
    bottom = flat.take(below + left) * (1 - across) + flat.take(below + right) * across
    return top + (bottom - top) * down


def grid_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`plane_noise` on an upright grid, x [1,w] and y [h,1]: rows are joined, then columns, which is far cheaper."""
    column, across = _split(x[0])  # [w]
    row, down = _split(y[:, 0])  # [h]
    wrap = _PERIOD - 1
    rows = _PLANE[row & wrap]  # [h,256]
    rows = rows + (_PLANE[(row + 1) & wrap] - rows) * down[:, None]
    left = rows[:, column & wrap]  # [h,w]
    return left + (rows[:, (column + 1) & wrap] - left) * across


def fractal(x: np.ndarray, y: np.ndarray, octaves: int) -> np.ndarray:
    """Sum of `octaves` upright grid noises, each of half the size and weight of the one before; x [1,w], y [h,1]."""
    total = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for octave in range(octaves):
        total += grid_noise(x * 2.0**octave + 17.3 * octave, y * 2.0**octave - 9.1 * octave) * 0.5 ** (octave + 1)
    return total / (1 - 0.5**octaves)
