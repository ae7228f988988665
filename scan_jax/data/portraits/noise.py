"""Noise as a function of position alone, so that a portrait has the same texture at every resolution.

Values on an integer lattice come from a fixed table and are joined smoothly (value noise). All results lie in [0, 1].
"""

from __future__ import annotations

import numpy as np

_PERIOD = 256
_PLANE = np.random.default_rng(0x5CA1).random((_PERIOD, _PERIOD), np.float32)  # [256,256]
_LINE = np.random.default_rng(0x5CA2).random(4 * _PERIOD, np.float32)  # [1024]


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
