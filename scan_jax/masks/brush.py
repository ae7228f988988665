"""Zigzag brush strokes, which the free-form holes of several papers share.

Yu et al. 2019 (gated convolution) introduced them; co-modulated GANs took them over with more and wider ones. A stroke
is most of the work of a hole, so its arithmetic is plain Python on few numbers: at that length NumPy's calls cost more.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

FINEST = 256  # pixels: the side below which strokes are painted larger
MEAN_TURN = 2 * math.pi / 5  # radians
TURN_SPREAD = 2 * math.pi / 15  # radians, at most, to either side of the mean


def fine_canvas(size: int) -> np.ndarray:
    """An empty canvas, uint8 [kS,kS] for holes of S x S pixels, with the smallest k that makes it at least `FINEST`.

    OpenCV draws strokes of a few pixels too wide; a finer canvas, thinned out by `thin`, keeps small holes true.
    """
    side = math.ceil(FINEST / size) * size
    return np.zeros((side, side), np.uint8)


def thin(canvas: np.ndarray, size: int) -> np.ndarray:
    """`canvas` [kS,kS] at the centres of its k x k blocks, bool [S,S]."""
    scale = len(canvas) // size
    return canvas[scale // 2 :: scale, scale // 2 :: scale].astype(np.bool_)


def draw_stroke(rng: np.random.Generator, canvas: np.ndarray, segments: int, width: tuple[float, float]) -> None:
    """Paints one stroke with round ends and joints.

    Args:
      rng: the only source of chance.
      canvas: uint8 [S,S], painted with ones.
      segments: straight pieces.
      width: thinnest and thickest, as fractions of S.
    """
    vertices = zigzag(rng, len(canvas), segments)
    thickness = max(1, round((width[0] + (width[1] - width[0]) * rng.random()) * len(canvas)))
    cv2.polylines(canvas, [vertices], isClosed=False, color=1, thickness=thickness)


def zigzag(rng: np.random.Generator, size: int, segments: int) -> np.ndarray:
    """The vertices of a stroke, int32 [segments+1,2], x then y in pixels, each from 0 to `size`.

    Headings lie around +2 pi/5 and -2 pi/5 in turn, by up to 2 pi/15 to either side. Lengths are normal around
    r = sqrt(2) S / 8, deviating by r // 2, clipped to [0, 2r].
    """
    step = math.sqrt(2.0) * size / 8
    deviation, longest, edge = step // 2, 2 * step, float(size)
    lengths = rng.standard_normal(segments).tolist()
    below, above = rng.random(2).tolist()
    lowest = MEAN_TURN - TURN_SPREAD * below
    span = MEAN_TURN + TURN_SPREAD * above - lowest
    headings = rng.random(segments).tolist()
    x, y = float(rng.integers(size)), float(rng.integers(size))
    vertices, side = [int(x), int(y)], 1.0
    for length, heading in zip(lengths, headings):
        length = step + deviation * length
        length = 0.0 if length < 0.0 else longest if length > longest else length
        heading = lowest + span * heading
        # The C library's cosine: NumPy's vectorised one differs between processors.
        x += length * math.cos(heading)
        x = 0.0 if x < 0.0 else edge if x > edge else x
        y += side * length * math.sin(heading)
        y = 0.0 if y < 0.0 else edge if y > edge else y
        vertices += (int(x), int(y))
        side = -side
    return np.array(vertices, np.int32).reshape(-1, 2)


def turn_over(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """`canvas` [S,S] flipped or not along either axis, in four ways; without it all zigzags head the same way."""
    down, right = (1 - 2 * int(rng.integers(2)) for _ in range(2))
    return np.ascontiguousarray(canvas[::down, ::right])


def fewer_than(rng: np.random.Generator, count: int) -> int:
    """A random count below `count`; 0 for 0."""
    return int(rng.integers(count)) if count > 0 else 0
