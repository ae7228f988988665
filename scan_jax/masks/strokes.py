"""Free-form strokes, as of gated convolution (Yu et al. 2019): one to three zigzags of a thick brush.

The numbers are those of the authors' release, whose upper ends are open: 1-3 strokes of 4-11 segments, 12 to 40 pixels
wide at 256x256. It draws a random flip along each axis, too, but drops the flipped picture; here it is kept. (Its
training also adds a rectangle to the strokes.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.brush import draw_stroke, fine_canvas, thin, turn_over
from scan_jax.masks.fitting import draw_fixed_within, draw_within
from scan_jax.masks.ratio import Bucket

ATTEMPTS = 50  # then the nearest try is fitted; one in two succeeds in a bucket of ten percent
MOST_STROKES = 64  # even where the hole is still too small: nearly whole images are left to the fitting


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
        for painted in range(MOST_STROKES):
            if painted >= published and cv2.countNonZero(canvas) > too_small:
                break
            draw_stroke(rng, canvas, int(rng.integers(4, 12)), self.stroke_width)
        return thin(turn_over(rng, canvas), size)
