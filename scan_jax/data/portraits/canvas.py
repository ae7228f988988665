"""What is painted on: a supersampled picture with its label map, and patches of it in a part's own coordinates."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.sdf import Field
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES

Colour = np.ndarray  # sRGB, float32 [3] in [0, 1]
CLASS_NAMES = CELEBAMASK_HQ_NAMES
WHITE = np.array([1.0, 1.0, 1.0], np.float32)
BLACK = np.array([0.0, 0.0, 0.0], np.float32)
WARM_WHITE = np.array([1.0, 0.95, 0.87], np.float32)
BLOOD = np.array([0.86, 0.33, 0.30], np.float32)
# The labels of CelebAMask-HQ (Lee et al. 2020, "MaskGAN"), 0 to 18; `CLASS_NAMES` has that dataset's spelling.
Part = enum.IntEnum(
    "Part",
    "BACKGROUND SKIN NOSE GLASSES L_EYE R_EYE L_BROW R_BROW L_EAR R_EAR MOUTH UPPER_LIP LOWER_LIP HAIR HAT EARRING "
    "NECKLACE NECK CLOTH",
    start=0,
)


@dataclasses.dataclass(frozen=True)
class Frame:
    """Axes on the canvas: origin (x, y), unit length `scale`, turned by `tilt` radians; u points right, v down."""

    x: float
    y: float
    scale: float
    tilt: float = 0.0


@dataclasses.dataclass(frozen=True)
class Patch:
    """A window of the canvas: views of its colours [3,h,w] and labels [h,w], and the coordinates u, v [h,w] in it.

    `pixel` is the distance of two samples in the frame's units: the width over which edges are softened.
    """

    rgb: Field
    labels: np.ndarray
    u: Field
    v: Field
    pixel: float

    def cover(self, distance: Field) -> Field:
        """How much of each sample lies inside a shape of signed `distance` [h,w], in [0, 1]."""
        return np.clip(0.5 - distance * (1 / self.pixel), 0, 1)

    def stroke(self, distance: Field, width: float) -> Field:
        """Cover [h,w] of a line of half-width `width` along the zero of `distance`; thinner than a sample it fades."""
        half = max(width, 0.5 * self.pixel)
        return self.cover(np.abs(distance) - half) * (width / half)

    def paint(self, colour: Colour | Field, cover: Field, part: Part | None = None) -> None:
        """Lay `colour` ([3] or [3,h,w]) over the window where `cover` [h,w] says, and label what it mostly hides."""
        colour = colour[:, None, None] if colour.ndim == 1 else colour
        np.add(self.rgb, (colour - self.rgb) * cover, out=self.rgb)
        if part is not None:
            self.mark(part, cover)

    def mark(self, part: Part, cover: Field) -> None:
        """Label with `part` every sample that `cover` [h,w] hides by half or more."""
        self.labels[cover >= 0.5] = part

    def lay(self, shade: Field, material: Material, distance: Field, part: Part) -> None:
        """Lay a material lit by `shade` [h,w] over the shape of signed `distance` [h,w], and label it."""
        self.paint(material.lit(shade), self.cover(distance), part)

    def shade(self, gain: Colour, amount: Field) -> None:
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
        cosine, sine = float(np.cos(frame.tilt)), float(np.sin(frame.tilt))
        c, s = cosine * frame.scale, sine * frame.scale
        columns = self._window([frame.x + a * c - b * s for a in u for b in v])
        rows = self._window([frame.y + a * s + b * c for a in u for b in v])
        dx, dy = self.x[:, columns] - frame.x, self.y[rows] - frame.y  # [1,w], [h,1]
        c, s = cosine / frame.scale, sine / frame.scale
        u_field, v_field = dx * c + dy * s, dy * c - dx * s  # [h,w]
        return Patch(self.rgb[:, rows, columns], self.labels[rows, columns], u_field, v_field, self.pixel / frame.scale)

    def _window(self, positions: list[float]) -> slice:
        """The samples from the least to the greatest position."""
        samples, ends = len(self.labels), (min(positions), max(positions))
        first, last = (min(max(int((end + 1) * 0.5 * samples), 0), samples) for end in ends)
        return slice(first, last + 1)


class Material(NamedTuple):
    """The colours of one surface in shadow, in even light and in the highlight, each [3]."""

    dark: Colour
    mid: Colour
    light: Colour

    def lit(self, shade: Field) -> Field:
        """Colours [3,h,w] of a surface lit by `shade` [h,w]: 0 its dark, 0.5 its mid, 1 its light colour."""
        below = np.clip(1 - 2 * shade, 0, 1.2)
        above = np.clip(2 * shade - 1, 0, 1)
        dark, mid, light = (colour[:, None, None] for colour in self)
        return mid + (dark - mid) * below + (light - mid) * above

    @classmethod
    def skin(cls, tone: Colour) -> Material:
        """Shadows stay saturated, as light under the skin is red; highlights are warm."""
        return cls(tone**1.45 * np.array([0.66, 0.53, 0.50], np.float32), tone, blend(tone, WARM_WHITE, 0.52))

    @classmethod
    def cloth(cls, colour: Colour) -> Material:
        """A matt fabric: shadows cool, highlights faint."""
        return cls(colour * np.array([0.45, 0.46, 0.52], np.float32), colour, blend(colour, WARM_WHITE, 0.28))

    @classmethod
    def hair(cls, colour: Colour) -> Material:
        """Deep between the strands, glossy on top."""
        return cls(colour * np.array([0.42, 0.38, 0.38], np.float32), colour, blend(colour * 1.25, WARM_WHITE, 0.30))

    @classmethod
    def metal(cls, colour: Colour) -> Material:
        """Strong contrast."""
        return cls(colour * np.float32(0.4), colour, blend(colour, WHITE, 0.75))


def from_hex(code: str) -> Colour:
    """`"rrggbb"` as float32 [3] in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / np.float32(255)


def blend(a: Colour, b: Colour, amount: float) -> Colour:
    """`a` moved towards `b` by `amount` in [0, 1]; colours [3]."""
    return a + (b - a) * np.float32(amount)


def to_image(rgb: Field, factor: int) -> np.ndarray:
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
