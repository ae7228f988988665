"""Outlined shapes of annotations as pixels: polygons, run lengths, rectangles, circles, cut-out masks."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scan_jax.images.hole import read_grey

Draw = Callable[[int, int], np.ndarray]  # height and width -> bool [H,W]


def polygons(rings: Sequence[Any]) -> Draw:
    """All that lies in any of the rings [x, y, x, y, ...], pixels."""
    points = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings]  # [n,2]

    def draw(height: int, width: int) -> np.ndarray:
        return np.logical_or.reduce([fill_polygon(ring, height, width) for ring in points])

    return draw


def fill_polygon(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie in a polygon, x and y [n,2] in pixels: bool [H,W]; even-odd where it crosses itself.

    The square from 10 to 20 has 100 pixels, as pycocotools has it; drawing programs that paint the border have 121.
    """
    crossings = np.zeros((height, width + 1), np.int64)  # edges between a pixel and the one before
    for (x, y), (next_x, next_y) in zip(points, np.roll(points, -1, axis=0)):
        first, end = np.ceil(np.clip(sorted((y, next_y)), 0, height) - 0.5).astype(int)
        rows = np.arange(first, end)  # whose centres the edge passes
        if len(rows):
            at = x + (rows + 0.5 - y) * (next_x - x) / (next_y - y)
            np.add.at(crossings, (rows, np.ceil(np.clip(at, 0, width) - 0.5).astype(int)), 1)
    return np.cumsum(crossings, axis=1)[:, :width] % 2 == 1


def run_lengths(shape: Mapping[str, Any]) -> Draw:
    """COCO's runs down the columns, the first outside; as a list, or packed in text."""

    def draw(height: int, width: int) -> np.ndarray:
        counts = shape["counts"]
        runs = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)  # [n]
        if list(shape["size"]) != [height, width] or (runs < 0).any() or runs.sum() != height * width:
            raise ValueError(f"its runs are not of {width}x{height} pixels")
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(width, height).T

    return draw


def _unpacked(text: str) -> list[int]:
    """The runs in COCO's text: 5 bits to a sign, lowest first, the sixth says that more follow; from the third on, less
    the one before the last."""
    runs: list[int] = []
    number = place = 0
    for sign in text.encode("ascii"):
        bits = sign - 48
        number |= (bits & 31) << place
        place += 5
        if not bits & 32:
            number -= (bits & 16) << place - 4  # its sign
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = place = 0
    return runs


def rectangle(shape: Mapping[str, Any]) -> Draw:
    """Between two opposite corners."""
    (left, top), (right, bottom) = shape["points"]
    return polygons([[left, top, right, top, right, bottom, left, bottom]])


def circle(shape: Mapping[str, Any]) -> Draw:
    """About the first point, through the second."""
    (x, y), (on_x, on_y) = np.asarray(shape["points"], np.float64)

    def draw(height: int, width: int) -> np.ndarray:
        rows, columns = np.ogrid[:height, :width]
        return np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= np.hypot(on_x - x, on_y - y)

    return draw


def patch(shape: Mapping[str, Any]) -> Draw:
    """A PNG in base 64, from the first point to the second, which belongs to it."""
    (left, top), _ = np.asarray(shape["points"]).astype(int)
    content = base64.b64decode(shape["mask"])

    def draw(height: int, width: int) -> np.ndarray:
        patch, hole = read_grey(io.BytesIO(content)) > 127, np.zeros((height, width), bool)  # [h,w], [H,W]
        part = hole[max(top, 0) : top + patch.shape[0], max(left, 0) : left + patch.shape[1]]
        part |= patch[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
        return hole

    return draw


def runs_by_start(text: str) -> Draw:
    """Pairs "start length ..." down the columns, the first pixel is 1, as competitions hand them in."""
    starts, lengths = np.asarray(text.split(), np.int64).reshape(-1, 2).T  # [n]

    def draw(height: int, width: int) -> np.ndarray:
        if (starts < 1).any() or (lengths < 0).any() or (starts + lengths - 1 > height * width).any():
            raise ValueError(f"its runs are not of {width}x{height} pixels")
        inside = np.zeros(height * width, bool)
        for start, length in zip(starts, lengths):
            inside[start - 1 : start - 1 + length] = True
        return inside.reshape(width, height).T

    return draw
