"""Free-form holes: a few rectangles and zigzag brush strokes, as of co-modulated GANs (Zhao et al. 2021)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, draw_fixed_within, draw_within
from scan_jax.masks.strokes import draw_stroke, fewer_than, fine_canvas, thin, turn_over

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
        return draw_fixed_within(self, size, bucket, count, seed)

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
