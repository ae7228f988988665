"""What is painted on: a supersampled picture with its label map, and patches of it in a part's own coordinates."""

from __future__ import annotations

import dataclasses

import numpy as np

from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import Material


@dataclasses.dataclass(frozen=True)
class Frame:
    """Axes on the canvas: origin (x, y), unit length `scale`, turned by `tilt` radians; u points right, v down."""

    x: float
    y: float
    scale: float
    tilt: float = 0.0

    def bounds(self, u: tuple[float, float], v: tuple[float, float]) -> tuple[float, float, float, float]:
        """Left, right, top and bottom on the canvas of the box u x v."""
        c, s = float(np.cos(self.tilt)) * self.scale, float(np.sin(self.tilt)) * self.scale
        xs = [self.x + a * c - b * s for a in u for b in v]
        ys = [self.y + a * s + b * c for a in u for b in v]
        return min(xs), max(xs), min(ys), max(ys)


@dataclasses.dataclass(frozen=True)
class Patch:
    """A window of the canvas: views of its colours [3,h,w] and labels [h,w], and the coordinates u, v [h,w] in it.

    `pixel` is the distance of two samples in the frame's units: the width over which edges are softened.
    """

    rgb: np.ndarray
    labels: np.ndarray
    u: np.ndarray
    v: np.ndarray
    pixel: float

    def cover(self, distance: np.ndarray) -> np.ndarray:
        """How much of each sample lies inside a shape of signed `distance` [h,w], in [0, 1]."""
        return np.clip(0.5 - distance * (1 / self.pixel), 0, 1)

    def stroke(self, distance: np.ndarray, width: float) -> np.ndarray:
        """Cover [h,w] of a line of half-width `width` along the zero of `distance`; thinner than a sample it fades."""
        half = max(width, 0.5 * self.pixel)
        return self.cover(np.abs(distance) - half) * (width / half)

    def paint(self, colour: np.ndarray, cover: np.ndarray, part: Part | None = None) -> None:
        """Lay `colour` ([3] or [3,h,w]) over the window where `cover` [h,w] says, and label what it mostly hides."""
        colour = colour[:, None, None] if colour.ndim == 1 else colour
        np.add(self.rgb, (colour - self.rgb) * cover, out=self.rgb)
        if part is not None:
            self.mark(part, cover)

    def mark(self, part: Part, cover: np.ndarray) -> None:
        """Label with `part` every sample that `cover` [h,w] hides by half or more."""
        self.labels[cover >= 0.5] = part

    def shade(self, gain: np.ndarray, amount: np.ndarray) -> None:
        """Multiply the window's colours by `gain` [3] as far as `amount` [h,w] in [0, 1] says."""
        np.multiply(self.rgb, 1 + (gain[:, None, None] - 1) * amount, out=self.rgb)


class Canvas:
    """A square picture, `samples` a side, of the region [-1, 1] x [-1, 1] with y pointing down."""

    def __init__(self, samples: int):
        self.rgb = np.zeros((3, samples, samples), np.float32)
        self.labels = np.zeros((samples, samples), np.uint8)
        centres = (np.arange(samples, dtype=np.float32) + 0.5) * np.float32(2 / samples) - 1
        self.x, self.y = centres[None, :], centres[:, None]  # [1,n], [n,1]
        self.pixel = 2 / samples

    def patch(self, frame: Frame, u: tuple[float, float], v: tuple[float, float]) -> Patch:
        """The window that holds the box u x v of `frame`, cut at the picture's border (it may be empty)."""
        left, right, top, bottom = frame.bounds(u, v)
        columns = slice(self._index(left), self._index(right) + 1)
        rows = slice(self._index(top), self._index(bottom) + 1)
        dx, dy = self.x[:, columns] - frame.x, self.y[rows] - frame.y  # [1,w], [h,1]
        c, s = float(np.cos(frame.tilt)) / frame.scale, float(np.sin(frame.tilt)) / frame.scale
        u_field, v_field = dx * c + dy * s, dy * c - dx * s  # [h,w]
        return Patch(self.rgb[:, rows, columns], self.labels[rows, columns], u_field, v_field, self.pixel / frame.scale)

    def _index(self, position: float) -> int:
        samples = self.labels.shape[0]
        return min(max(int((position + 1) * 0.5 * samples), 0), samples)


def ramp(shade: np.ndarray, material: Material) -> np.ndarray:
    """Colours [3,h,w] of a surface lit by `shade` [h,w]: 0 its dark, 0.5 its mid, 1 its light colour."""
    below = np.clip(1 - 2 * shade, 0, 1.2)
    above = np.clip(2 * shade - 1, 0, 1)
    dark, mid, light = (colour[:, None, None] for colour in material)
    return mid + (dark - mid) * below + (light - mid) * above
