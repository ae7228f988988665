"""Free-form strokes, as of gated convolution (Yu et al. 2019): one to three zigzags of a thick brush.

The numbers are those of the authors' release, whose upper ends are open: 1-3 strokes of 4-11 segments, 12 to 40 pixels
wide at 256x256. It draws a random flip along each axis, too, but drops the flipped picture; here it is kept. (Its
training also adds a rectangle to the strokes.)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, draw_fixed_within, draw_within

ATTEMPTS = 50  # then the nearest try is fitted; one in two succeeds in a bucket of ten percent
MAX_STROKES = 64  # even where the hole is still too small: nearly whole images are left to the fitting


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of strokes.

    Attributes:
      ratio: (low, high], the share of the image that a hole takes. The published numbers give (0, 0.45], mostly 5-30%.
      stroke_width: thinnest and thickest stroke, as fractions of the side.
    """

    ratio: tuple[float, float] = (0.1, 0.6)
    stroke_width: tuple[float, float] = (12 / 256, 40 / 256)


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """Strokes for both splits: held-out ones differ by their seed.

    Raises:
      UserError: a setting makes no sense.
    """
    settings = bind(section, Settings, "config.holes")
    if not 0.0 <= settings.stroke_width[0] <= settings.stroke_width[1] <= 1.0:
        raise UserError(f"config.holes.stroke_width must be 0 <= thin <= thick <= 1, not {settings.stroke_width}")
    source = Strokes(Bucket(*settings.ratio), settings.stroke_width)
    return HoleSplits(train=source, held_out=source)


@dataclasses.dataclass(frozen=True)
class Strokes:
    """A `HoleSource`: the published number of strokes, and further ones only while the hole is too small."""

    limits: Bucket
    stroke_width: tuple[float, float] = Settings.stroke_width

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"free-form strokes, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size]."""
        return draw_within(self._try, rng, size, self.limits, ATTEMPTS)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], or none where the limits exclude it."""
        return draw_fixed_within(self, size, bucket, count, seed)

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One hole, bool [size,size], that may be too large."""
        canvas = fine_canvas(size)
        too_small = int(self.limits.low * canvas.size)  # pixels
        published = int(rng.integers(1, 4))
        for painted in range(MAX_STROKES):
            if painted >= published and cv2.countNonZero(canvas) > too_small:
                break
            draw_stroke(rng, canvas, int(rng.integers(4, 12)), self.stroke_width)
        return thin(turn_over(rng, canvas), size)


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
