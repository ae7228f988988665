"""Free-form holes: zigzags of a thick brush, alone or with rectangles."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

import cv2
import numpy as np

from scan_jax.core.bounds import Rising, Share
from scan_jax.masks.shapes import DrawnHoles

Thickness = Annotated[tuple[Share, Share], Rising(equal=True)]
FINEST = 256  # pixels: the side below which strokes are painted larger
MEAN_TURN = 2 * math.pi / 5  # radians
TURN_SPREAD = 2 * math.pi / 15  # radians, at most, to either side of the mean


@dataclasses.dataclass(frozen=True)
class Brush(DrawnHoles):
    """Holes with brush strokes."""

    stroke_width: Thickness = (12 / 256, 40 / 256)  # thinnest and thickest stroke, as fractions of the side


@dataclasses.dataclass(frozen=True)
class Strokes(Brush):
    """One to three zigzags of a thick brush, as of gated convolution (Yu et al. 2019).

    The numbers are those of the authors' release, whose upper ends are open: 1-3 strokes of 4-11 segments, 12 to 40
    pixels wide at 256x256. They give ratios in (0, 0.45], mostly 5-30%; further strokes are painted only while the hole
    is too small. The release draws a random flip along each axis, too, but drops the flipped picture; here it is kept.
    (Its training also adds a rectangle to the strokes.)
    """

    attempts = 50  # one in two succeeds in a bucket of ten percent
    title = "free-form strokes"

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One hole, bool [size,size], that may be too large."""
        canvas = fine_canvas(size)
        too_small = int(self.limits.low * canvas.size)  # pixels
        published = int(rng.integers(1, 4))
        for painted in range(64):  # even where the hole is still too small: nearly whole images are left to the fitting
            if painted >= published and cv2.countNonZero(canvas) > too_small:
                break
            draw_stroke(rng, canvas, int(rng.integers(4, 12)), self.stroke_width)
        return thin(turn_over(rng, canvas), size)


@dataclasses.dataclass(frozen=True)
class FreeForm(Brush):
    """A few rectangles and zigzag brush strokes, as of co-modulated GANs (Zhao et al. 2021).

    With c = min(low + high, 1), a try is fewer than 20c strokes, fewer than 10c rectangles with sides below S/2 and
    fewer than 5c with sides below S: narrow limits also draw fewer shapes. One try in 20 succeeds in the hardest
    bucket, 50-60%. The release has strokes of 12 to 48 pixels whatever the size; here they are that at 256x256 and
    scale, so that holes of every size look alike.
    """

    stroke_width: Thickness = (12 / 256, 48 / 256)
    title = "free-form strokes and rectangles"

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One unconditioned hole, bool [size,size]."""
        share = min(self.limits.low + self.limits.high, 1.0)
        canvas = fine_canvas(size)
        for _ in range(fewer_than(rng, int(20 * share))):
            draw_stroke(rng, canvas, int(rng.integers(4, 18)) - 1, self.stroke_width)
        canvas = turn_over(rng, canvas)
        for most, longest in ((int(10 * share), len(canvas) // 2), (int(5 * share), len(canvas))):
            for _ in range(fewer_than(rng, most)):
                _rectangle(rng, canvas, longest)
        return thin(canvas, size)


def _rectangle(rng: np.random.Generator, canvas: np.ndarray, longest: int) -> None:
    """Fills a rectangle with sides below `longest` in `canvas` [S,S]; half of it may lie outside."""
    size = len(canvas)
    height, width = int(rng.integers(max(longest, 1))), int(rng.integers(max(longest, 1)))
    top = int(rng.integers(-(height // 2), size - height + height // 2 + 1))
    left = int(rng.integers(-(width // 2), size - width + width // 2 + 1))
    canvas[max(top, 0) : top + height, max(left, 0) : left + width] = 1


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
    """Paints `canvas`, uint8 [S,S], with ones: a stroke of straight `segments` with round ends and joints.

    Its `width` lies between the thinnest and the thickest, as fractions of S.
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
