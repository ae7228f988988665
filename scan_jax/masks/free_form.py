"""Free-form holes: a few rectangles and zigzag brush strokes, as of co-modulated GANs (Zhao et al. 2021)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from scan_jax.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.fitting import draw_fixed, draw_within
from scan_jax.masks.ratio import Bucket
from scan_jax.settings import bind

FINEST = 256  # pixels: the side below which holes are drawn larger
ATTEMPTS = 200  # then the nearest try is fitted; one in 20 succeeds in the hardest bucket, 50-60%


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of free-form holes.

    Attributes:
      ratio: (low, high], the share of the image that a hole takes. Narrow ranges also draw fewer shapes.
      stroke_width: thinnest and thickest stroke, as fractions of the side. The release has 12 to 48 pixels whatever the
        size; here they are that at 256x256 and scale, so that holes of every size look alike.
    """

    ratio: tuple[float, float] = (0.1, 0.6)
    stroke_width: tuple[float, float] = (12 / 256, 48 / 256)


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """Free-form holes for both splits: held-out ones differ by their seed.

    Raises:
      UserError: a setting makes no sense.
    """
    settings = bind(section, Settings, "config.holes")
    if not 0.0 <= settings.stroke_width[0] <= settings.stroke_width[1] <= 1.0:
        raise UserError(f"config.holes.stroke_width must be 0 <= thin <= thick <= 1, not {settings.stroke_width}")
    source = FreeForm(Bucket(*settings.ratio), settings.stroke_width)
    return HoleSplits(train=source, held_out=source)


@dataclasses.dataclass(frozen=True)
class FreeForm:
    """A `HoleSource` that draws until the ratio lies within `limits`.

    With c = min(low + high, 1), a try is fewer than 20c strokes, fewer than 10c rectangles with sides below S/2 and
    fewer than 5c with sides below S.
    """

    limits: Bucket
    stroke_width: tuple[float, float] = Settings.stroke_width

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"free-form strokes and rectangles, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size]."""
        return draw_within(self._try, rng, size, self.limits, ATTEMPTS)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], or none where the limits exclude it."""
        reached = self.limits.overlap(bucket)
        if reached is None:
            return np.zeros((0, size, size), np.bool_)
        return draw_fixed(dataclasses.replace(self, limits=reached).draw, size, reached, count, seed)

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One unconditioned hole, bool [size,size]."""
        share = min(self.limits.low + self.limits.high, 1.0)
        # OpenCV draws strokes of a few pixels too wide; a finer canvas, thinned out below, keeps small holes true.
        scale = math.ceil(FINEST / size)
        canvas = np.zeros((scale * size, scale * size), np.uint8)
        for _ in range(_fewer_than(rng, int(20 * share))):
            self._stroke(rng, canvas)
        # The strokes' headings all point the same way along an axis; turning the canvas over frees them.
        down, right = (1 - 2 * int(flip) for flip in rng.integers(2, size=2))
        canvas = np.ascontiguousarray(canvas[::down, ::right])
        for most, longest in ((int(10 * share), len(canvas) // 2), (int(5 * share), len(canvas))):
            for _ in range(_fewer_than(rng, most)):
                _rectangle(rng, canvas, longest)
        return canvas[scale // 2 :: scale, scale // 2 :: scale].astype(np.bool_)

    def _stroke(self, rng: np.random.Generator, canvas: np.ndarray) -> None:
        """Draws a zigzag of 4 to 17 vertices into `canvas` [S,S]; OpenCV rounds its ends and joints."""
        size = len(canvas)
        turns = int(rng.integers(4, 18)) - 1
        step = math.sqrt(2.0) * size / 8
        lengths = rng.normal(step, step // 2, turns).clip(0.0, 2 * step)  # [turns]
        spread = rng.uniform(0.0, 2 * math.pi / 15, size=2)  # below and above the mean heading
        headings = rng.uniform(2 * math.pi / 5 - spread[0], 2 * math.pi / 5 + spread[1], turns)  # [turns]
        headings[1::2] *= -1
        x, y = rng.integers(0, size, size=2).astype(float)
        vertices = [(x, y)]
        for length, heading in zip(lengths.tolist(), headings.tolist()):
            # The C library's cosine: NumPy's vectorised one differs between processors.
            x = min(max(x + length * math.cos(heading), 0.0), size)
            y = min(max(y + length * math.sin(heading), 0.0), size)
            vertices.append((x, y))
        points = np.asarray(vertices).astype(np.int32)  # [turns+1,2], x then y
        width = max(1, round(rng.uniform(*self.stroke_width) * size))
        cv2.polylines(canvas, [points[:, None]], isClosed=False, color=1, thickness=width)


def _fewer_than(rng: np.random.Generator, count: int) -> int:
    """A random count below `count`; 0 for 0."""
    return int(rng.integers(count)) if count > 0 else 0


def _rectangle(rng: np.random.Generator, canvas: np.ndarray, longest: int) -> None:
    """Fills a rectangle with sides below `longest` in `canvas` [S,S]; half of it may lie outside."""
    size = len(canvas)
    height, width = (int(side) for side in rng.integers(max(longest, 1), size=2))
    top = int(rng.integers(-(height // 2), size - height + height // 2 + 1))
    left = int(rng.integers(-(width // 2), size - width + width // 2 + 1))
    canvas[max(top, 0) : top + height, max(left, 0) : left + width] = 1
