"""Everything that tells one portrait from another, and the colours and materials that it is drawn in.

Lengths are in head units: half the width of a face is 1. The head's origin lies between the eyes; u points to the right
of the image, v down; the chin is near v = 1.3. Colours are sRGB float32 [3] in [0, 1].
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

Colour = np.ndarray


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where the head is: (x, y) and `scale` on the canvas [-1, 1]^2, `tilt` in the image plane, `yaw` to the right."""

    x: float
    y: float
    scale: float
    tilt: float
    yaw: float


@dataclasses.dataclass(frozen=True)
class Light:
    """The direction (x, y) towards the light on the canvas, its contrast, and its colour as a gain [3]."""

    x: float
    y: float
    strength: float
    tint: Colour


@dataclasses.dataclass(frozen=True)
class Face:
    """The head's outline and skin. `squareness` is a superellipse's exponent; `taper` narrows the jaw."""

    width: float
    chin: float
    squareness: float
    taper: float
    skin: Colour
    blush: float
    freckles: float
    age: float
    ear: float


@dataclasses.dataclass(frozen=True)
class Eyes:
    """`spacing`, half-`width` and `opening` of the eyes, their `slant`, the gaze, and how the lids are made up."""

    spacing: float
    width: float
    opening: float
    slant: float
    gaze: tuple[float, float]
    iris: Colour
    lash: float
    shadow: Colour
    shadow_strength: float


@dataclasses.dataclass(frozen=True)
class Brows:
    """`height` over the eyes, `thickness`, `arch`, `slant` (inner ends down when positive) and colour."""

    height: float
    thickness: float
    arch: float
    slant: float
    colour: Colour


@dataclasses.dataclass(frozen=True)
class Nose:
    """`tip` is its lower end, `width` the half-width of its wings, `bridge` that of its ridge."""

    tip: float
    width: float
    bridge: float


@dataclasses.dataclass(frozen=True)
class Mouth:
    """`line` is the height of the mouth, `smile` lifts its corners, `gap` is how far it opens."""

    line: float
    width: float
    smile: float
    gap: float
    upper: float
    lower: float
    colour: Colour
    gloss: float


@dataclasses.dataclass(frozen=True)
class Beard:
    """`cover` of skin by hair (0 none, 1 dense), half-width of the `chin` part (1: the whole jaw, 0: none), `moustache`
    in [0, 1], and the `length` by which it passes the chin.
    """

    cover: float
    chin: float
    moustache: float
    length: float


@dataclasses.dataclass(frozen=True)
class Hair:
    """A cut's name in `hair.CUTS`, its colour, the side of the parting, curl and a phase for its strands."""

    cut: str
    colour: Colour
    parting: float
    wave: float
    phase: float


@dataclasses.dataclass(frozen=True)
class Hat:
    """A hat's name in `accessories.HATS` ("none" for none) and its two colours."""

    kind: str
    colour: Colour
    trim: Colour


@dataclasses.dataclass(frozen=True)
class Glasses:
    """A rim's name in `accessories.RIMS` ("none" for none), its colour, and how dark the lenses are in [0, 1]."""

    kind: str
    colour: Colour
    tint: float


@dataclasses.dataclass(frozen=True)
class Jewellery:
    """Kinds of earring and necklace ("none" for none) and the colours of metal and stone."""

    earring: str
    necklace: str
    metal: Colour
    stone: Colour


@dataclasses.dataclass(frozen=True)
class Clothing:
    """A collar and a pattern by name, two colours, the shoulders' half-width and slope."""

    collar: str
    pattern: str
    colour: Colour
    accent: Colour
    shoulder: float
    slope: float


@dataclasses.dataclass(frozen=True)
class Backdrop:
    """A scene's name in `backdrop.SCENES`, its two colours, the size of its motif and a phase that shifts it."""

    scene: str
    colour: Colour
    accent: Colour
    size: float
    phase: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Traits:
    """One person, one moment."""

    pose: Pose
    light: Light
    face: Face
    eyes: Eyes
    brows: Brows
    nose: Nose
    mouth: Mouth
    beard: Beard
    hair: Hair
    hat: Hat
    glasses: Glasses
    jewellery: Jewellery
    clothing: Clothing
    backdrop: Backdrop
    grain: tuple[float, float]


WHITE = np.array([1.0, 1.0, 1.0], np.float32)
BLACK = np.array([0.0, 0.0, 0.0], np.float32)
WARM_WHITE = np.array([1.0, 0.95, 0.87], np.float32)
SCLERA = np.array([0.93, 0.915, 0.9], np.float32)
TEETH = np.array([0.95, 0.935, 0.9], np.float32)
MOUTH_INSIDE = np.array([0.27, 0.075, 0.085], np.float32)
TONGUE = np.array([0.66, 0.29, 0.29], np.float32)
BLOOD = np.array([0.86, 0.33, 0.30], np.float32)


class Material(NamedTuple):
    """The colours of one surface in shadow, in even light and in the highlight, each [3]."""

    dark: Colour
    mid: Colour
    light: Colour


def from_hex(code: str) -> Colour:
    """`"rrggbb"` as float32 [3] in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / np.float32(255)


def blend(a: Colour, b: Colour, amount: float) -> Colour:
    """`a` moved towards `b` by `amount` in [0, 1]; colours [3]."""
    return a + (b - a) * np.float32(amount)


def skin_material(tone: Colour) -> Material:
    """Skin: shadows stay saturated, as light under the skin is red; highlights are warm."""
    dark = tone**1.45 * np.array([0.66, 0.53, 0.50], np.float32)
    return Material(dark, tone, blend(tone, WARM_WHITE, 0.52))


def cloth_material(colour: Colour) -> Material:
    """A matt fabric: shadows cool, highlights faint."""
    return Material(colour * np.array([0.45, 0.46, 0.52], np.float32), colour, blend(colour, WARM_WHITE, 0.28))


def hair_material(colour: Colour) -> Material:
    """Hair: deep between the strands, glossy on top."""
    return Material(colour * np.array([0.42, 0.38, 0.38], np.float32), colour, blend(colour * 1.25, WARM_WHITE, 0.30))


def metal_material(colour: Colour) -> Material:
    """Metal: strong contrast."""
    return Material(colour * np.float32(0.4), colour, blend(colour, WHITE, 0.75))
