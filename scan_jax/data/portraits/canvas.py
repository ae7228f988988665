"""What is painted on: a supersampled picture with its label map, and patches of it in a part's own coordinates.

Beneath it, elementwise on float32 arrays [h,w]: signed distances (negative inside; exact for circles and boxes,
first-order for the rest, good enough to antialias an edge), soft steps, and value noise.
"""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from scan_jax.data.portraits.traits import Light, Material
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES

CLASS_NAMES = CELEBAMASK_HQ_NAMES
GRAIN_CELLS = 90.0  # lattice cells per unit of the canvas
GRAIN = 0.018
# The lattices of the noise.
_PERIOD = 256
_PLANE = np.random.default_rng(0x5CA1).random((_PERIOD, _PERIOD), np.float32)  # [256,256]
_LINE = np.random.default_rng(0x5CA2).random(4 * _PERIOD, np.float32)  # [1024]
Field = np.ndarray


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

    def lay(self, shade: np.ndarray, material: Material, distance: np.ndarray, part: Part) -> None:
        """Lay a material lit by `shade` [h,w] over the shape of signed `distance` [h,w], and label it."""
        self.paint(ramp(shade, material), self.cover(distance), part)

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


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high` (or the reverse where low > high), smooth between."""
    t = np.clip((value - low) * (1.0 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def bump(u: Field, v: Field, width: float, height: float) -> Field:
    """A Gaussian of standard deviations `width` and `height` around the origin, 1 at its top."""
    return np.exp(-0.5 * ((u * (1 / width)) ** 2 + (v * (1 / height)) ** 2))


def circle(u: Field, v: Field, radius: float) -> Field:
    """Distance to a circle around the origin."""
    return np.sqrt(u * u + v * v) - radius


def ellipse(u: Field, v: Field, width: float, height: float) -> Field:
    """Distance to an ellipse of half-axes `width`, `height` around the origin: its level function over its slope."""
    du, dv = u * (1 / width), v * (1 / height)
    square = du * du + dv * dv
    slope = np.sqrt((du * (1 / width)) ** 2 + (dv * (1 / height)) ** 2)
    radius = np.sqrt(square)
    return (square - radius) / np.maximum(slope, 1e-4)


def egg(u: Field, v: Field, width: float, above: float, below: float) -> Field:
    """As `ellipse`, fuller (between an ellipse and its fourth-power superellipse) and unlike above and below."""
    height = np.where(v < 0, np.float32(1 / above), np.float32(1 / below))
    du, dv = u * (1 / width), v * height
    a, b = du * du, dv * dv
    square = 0.62 * (a + b) + 0.38 * np.sqrt(a * a + b * b)
    slope = np.sqrt((du * (1 / width)) ** 2 + (dv * height) ** 2)
    radius = np.sqrt(square)
    return (square - radius) / np.maximum(slope, 1e-4)


def box(u: Field, v: Field, width: float, height: float, corner: float) -> Field:
    """Distance to a box of half-sides `width`, `height` with corners of radius `corner`."""
    du, dv = np.abs(u) - (width - corner), np.abs(v) - (height - corner)
    outside = np.sqrt(np.maximum(du, 0) ** 2 + np.maximum(dv, 0) ** 2)
    return outside + np.minimum(np.maximum(du, dv), 0) - corner


def segment(u: Field, v: Field, start: tuple[float, float], end: tuple[float, float], radius: float) -> Field:
    """Distance to a thick line with round ends."""
    (au, av), (bu, bv) = start, end
    du, dv = bu - au, bv - av
    along = np.clip(((u - au) * du + (v - av) * dv) * (1 / (du * du + dv * dv)), 0, 1)
    return np.sqrt((u - au - along * du) ** 2 + (v - av - along * dv) ** 2) - radius


def rotate(u: Field, v: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates in axes turned by `angle` radians (clockwise on the screen, where v points down)."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return u * c + v * s, v * c - u * s


def turn(u: Field, yaw: float) -> Field:
    """Undo a head's turn: the frontal coordinate seen at `u` on a cylinder of radius 1 turned by `yaw` radians."""
    return u * float(np.cos(yaw)) - np.sqrt(np.maximum(1 - u * u, 0)) * float(np.sin(yaw))


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lattice cell (int32) and smoothed fraction within it, both of the shape of `position`."""
    floor = np.floor(position)
    fraction = position - floor
    return floor.astype(np.int32), fraction * fraction * (3 - 2 * fraction)


def cell_value(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The lattice value of whole cells (`int32` or float arrays that broadcast), in [0, 1]."""
    return _PLANE[np.asarray(row, np.int32) & (_PERIOD - 1), np.asarray(column, np.int32) & (_PERIOD - 1)]


def line_noise(position: np.ndarray) -> np.ndarray:
    """One-dimensional value noise of unit cell size at `position` (any shape)."""
    cell, fraction = _split(position)
    size = _LINE.size - 1
    left = _LINE.take(cell & size)
    return left + (_LINE.take((cell + 1) & size) - left) * fraction


def plane_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two-dimensional value noise of unit cell size at the points (x, y), both [h,w]."""
    column, across = _split(x)
    row, down = _split(y)
    wrap = _PERIOD - 1
    flat = _PLANE.reshape(-1)
    left, right = column & wrap, (column + 1) & wrap
    above, below = (row & wrap) * _PERIOD, ((row + 1) & wrap) * _PERIOD
    top = flat.take(above + left) * (1 - across) + flat.take(above + right) * across
    bottom = flat.take(below + left) * (1 - across) + flat.take(below + right) * across
    return top + (bottom - top) * down


def grid_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`plane_noise` on an upright grid, x [1,w] and y [h,1]: rows are joined, then columns, which is far cheaper."""
    column, across = _split(x[0])  # [w]
    row, down = _split(y[:, 0])  # [h]
    wrap = _PERIOD - 1
    rows = _PLANE[row & wrap]  # [h,256]
    rows = rows + (_PLANE[(row + 1) & wrap] - rows) * down[:, None]
    left = rows[:, column & wrap]  # [h,w]
    return left + (rows[:, (column + 1) & wrap] - left) * across


def fractal(x: np.ndarray, y: np.ndarray, octaves: int) -> np.ndarray:
    """Sum of `octaves` upright grid noises, each of half the size and weight of the one before; x [1,w], y [h,1]."""
    total = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for octave in range(octaves):
        total += grid_noise(x * 2.0**octave + 17.3 * octave, y * 2.0**octave - 9.1 * octave) * 0.5 ** (octave + 1)
    return total / (1 - 0.5**octaves)
