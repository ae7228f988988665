"""What is painted on: a supersampled picture with its label map, and patches of it in a part's own coordinates."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from scan_jax.data.portraits.backdrop import grid_noise
from scan_jax.data.portraits.palette import Material
from scan_jax.data.portraits.traits import Light
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES


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


class Part(enum.IntEnum):
    """A label of CelebAMask-HQ (Lee et al. 2020, "MaskGAN"); names in that dataset's spelling are `CLASS_NAMES`."""

    BACKGROUND = 0
    SKIN = 1
    NOSE = 2
    GLASSES = 3
    L_EYE = 4
    R_EYE = 5
    L_BROW = 6
    R_BROW = 7
    L_EAR = 8
    R_EAR = 9
    MOUTH = 10
    UPPER_LIP = 11
    LOWER_LIP = 12
    HAIR = 13
    HAT = 14
    EARRING = 15
    NECKLACE = 16
    NECK = 17
    CLOTH = 18


CLASS_NAMES = CELEBAMASK_HQ_NAMES


GRAIN_CELLS = 90.0  # lattice cells per unit of the canvas
GRAIN = 0.018


def develop(canvas: Canvas, light: Light, grain: tuple[float, float]) -> None:
    """Tint the picture by the light's colour and add a faint grain, in place."""
    noise = grid_noise(canvas.x * GRAIN_CELLS + grain[0], canvas.y * GRAIN_CELLS + grain[1])  # [n,n]
    canvas.rgb *= light.tint[:, None, None]
    canvas.rgb += GRAIN * (noise - 0.5)


def to_image(rgb: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor x factor samples of colours [3,n,n]: uint8 [n/factor,n/factor,3]."""
    size = rgb.shape[1] // factor
    mean = rgb.reshape(3, size, factor, size, factor).mean(axis=(2, 4))
    return np.rint(np.clip(mean, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0).copy()


def to_labels(labels: np.ndarray, factor: int) -> np.ndarray:
    """The commonest label of each block of factor x factor samples (1 or 2): uint8 [n/factor,n/factor]."""
    if factor == 1:
        return labels.copy()
    a, b, c, d = labels[::2, ::2], labels[1::2, 1::2], labels[::2, 1::2], labels[1::2, ::2]
    pair_without_a = np.where((b == c) | (b == d), b, np.where(c == d, c, a))
    return np.where((a == b) | (a == c) | (a == d), a, pair_without_a)
