"""Everything that tells one portrait from another. Lengths are in head units: half the width of a face is 1.

The head's origin lies between the eyes; u points to the right of the image, v down; the chin is near v = 1.3.
"""

from __future__ import annotations

import dataclasses

from scan_jax.data.portraits.palette import Colour


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
    """A hat's name in `hats.HATS` ("none" for none) and its two colours."""

    kind: str
    colour: Colour
    trim: Colour


@dataclasses.dataclass(frozen=True)
class Glasses:
    """A rim's name in `glasses.RIMS` ("none" for none), its colour, and how dark the lenses are in [0, 1]."""

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
