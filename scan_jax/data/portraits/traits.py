"""Everything that tells one portrait from another, and how chance draws it.

Lengths are in head units: half the width of a face is 1. The head's origin lies between the eyes; u points to the right
of the image, v down; the chin is near v = 1.3. Colours are sRGB float32 [3] in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.canvas import BLOOD, Colour, blend, from_hex


class Pose(NamedTuple):
    """Where the head is: (x, y) and `scale` on the canvas [-1, 1]^2, `tilt` in the image plane, `yaw` to the right."""

    x: float
    y: float
    scale: float
    tilt: float
    yaw: float


class Light(NamedTuple):
    """The direction (x, y) towards the light on the canvas, its contrast, and its colour as a gain [3]."""

    x: float
    y: float
    strength: float
    tint: Colour


class Face(NamedTuple):
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


class Eyes(NamedTuple):
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


class Brows(NamedTuple):
    """`height` over the eyes, `thickness`, `arch`, `slant` (inner ends down when positive) and colour."""

    height: float
    thickness: float
    arch: float
    slant: float
    colour: Colour


class Nose(NamedTuple):
    """`tip` is its lower end, `width` the half-width of its wings, `bridge` that of its ridge."""

    tip: float
    width: float
    bridge: float


class Mouth(NamedTuple):
    """`line` is the height of the mouth, `smile` lifts its corners, `gap` is how far it opens."""

    line: float
    width: float
    smile: float
    gap: float
    upper: float
    lower: float
    colour: Colour
    gloss: float


class Beard(NamedTuple):
    """`cover` of skin by hair (0 none, 1 dense), half-width of the `chin` part (1: the whole jaw, 0: none), `moustache`
    in [0, 1], and the `length` by which it passes the chin.
    """

    cover: float
    chin: float
    moustache: float
    length: float


class Hair(NamedTuple):
    """A cut's name in `hair.CUTS`, its colour, the side of the parting, curl and a phase for its strands."""

    cut: str
    colour: Colour
    parting: float
    wave: float
    phase: float


class Hat(NamedTuple):
    """A hat's name in `accessories.HATS` ("none" for none) and its two colours."""

    kind: str
    colour: Colour
    trim: Colour


class Glasses(NamedTuple):
    """A rim's name in `accessories.RIMS` ("none" for none), its colour, and how dark the lenses are in [0, 1]."""

    kind: str
    colour: Colour
    tint: float


class Jewellery(NamedTuple):
    """Kinds of earring and necklace ("none" for none) and the colours of metal and stone."""

    earring: str
    necklace: str
    metal: Colour
    stone: Colour


class Clothing(NamedTuple):
    """A collar and a pattern by name, two colours, the shoulders' half-width and slope."""

    collar: str
    pattern: str
    colour: Colour
    accent: Colour
    shoulder: float
    slope: float


class Backdrop(NamedTuple):
    """A scene's name in `backdrop.SCENES`, its two colours, the size of its motif and a phase that shifts it."""

    scene: str
    colour: Colour
    accent: Colour
    size: float
    phase: tuple[float, float]


class Traits(NamedTuple):
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


def _table(text: str) -> dict[str, str]:
    """ "rose gold d79c84, bronze 9a6b3d" as names with what follows them."""
    return dict(entry.strip().rsplit(" ", 1) for entry in text.split(","))


def _odds(text: str) -> dict[str, int]:
    """A table of odds, not probabilities: it is normalised where it is drawn from."""
    return {name: int(odds) for name, odds in _table(text).items()}


# Colours by name.
SKIN_TONES = _table(
    "porcelain f2d0bd, ivory ecc1a5, sand dfab88, honey cf9972, olive bb8a63, bronze a3704c, chestnut 86573c, "
    "umber 6a4430, ebony 523528"
)
HAIR_COLOURS = _table(
    "black 211d20, espresso 38271f, brown 573a28, chestnut 74452b, auburn 83381f, ginger b5632d, honey b3854a, "
    "blond d3ae70, platinum e4d5b6, grey 8b8988, silver c6c5c6"
)
IRIS_COLOURS = _table("dark 33211a, brown 5b3a22, hazel 83623a, amber 96672e, green 5c7a52, grey 75848c, blue 4f7fa8")
FABRICS = _table(
    "navy 26344f, denim 4c6a8d, sky 93b5cf, teal 1f6467, forest 34573f, sage 98a78a, mustard d0a03a, rust b3562f, "
    "brick 8f3a35, wine 642536, rose cf8d94, lilac 9f8dbb, plum 56386a, cream ece3d0, white e9eaec, stone a59c90, "
    "charcoal 3a3b40, black 222226"
)
WALLS = _table(
    "fog c6ccd0, slate 6d7b88, ink 2d3a4c, linen dccfb9, sand c9ab83, clay b87a5c, blush d9b0a5, olive 83865d, "
    "moss 56714f, mint a9cbb9, sea 5b949c, dusk 75688f, gold d5ac58, walnut 6b4c37"
)
METALS = _table("gold d9a94a, silver c9ccd2, rose gold d79c84, bronze 9a6b3d")
FRAMES = _table("black 1d1d21, tortoise 5d3a22, navy 24345a, red 8c2b2b, gold b08d45, clear b9b3aa")
LIPSTICKS = _table("berry 8f2f4a, red b3262f, coral d1604f, nude b9786a, mauve 94586a")
CUT_ODDS = {
    "plain": _odds("bald 7, buzz 12, crop 18, side part 22, quiff 18, curls 14, afro 5, shaggy 14"),
    "adorned": _odds("tucked 13, long 18, waves 20, bob 18, fringe 15, bun 10, curtains 8, afro 9, pixie 10"),
}
HAT_ODDS = {"none": 88, "beanie": 4, "cap": 3, "brim": 3, "headscarf": 2}
RIM_ODDS = {"none": 79, "round": 8, "square": 8, "cat": 3, "aviator": 3}
EARRING_ODDS = {
    "plain": {"none": 92, "stud": 6, "hoop": 2},
    "adorned": {"none": 35, "stud": 22, "hoop": 20, "drop": 23},
}
NECKLACE_ODDS = {
    "plain": {"none": 91, "chain": 9},
    "adorned": {"none": 52, "chain": 14, "beads": 16, "pendant": 18},
}
COLLAR_ODDS = {"crew": 30, "vee": 22, "shirt": 20, "jacket": 14, "turtleneck": 14}
PATTERN_ODDS = {"plain": 42, "stripes": 20, "check": 13, "dots": 10, "knit": 15}
SCENE_ODDS = _odds(
    "gradient 13, plaster 11, stripes 12, curtain 10, bricks 12, books 14, tiles 9, bokeh 10, leaves 14, panels 9"
)
BEARD_ODDS = {"plain": _odds("none 50, stubble 20, full 16, goatee 7, moustache 7"), "adorned": {"none": 1}}
BEARDS = {
    "none": (0.0, 0.0, 0.0, 0.0),
    "stubble": (0.42, 1.0, 1.0, 0.0),
    "full": (0.95, 1.0, 1.0, 0.12),
    "goatee": (0.9, 0.42, 0.9, 0.08),
    "moustache": (0.92, 0.0, 1.0, 0.0),
}
# Fair hair and eyes go with fair skin; the odds are in the order of the tables of colours.
HAIR_ODDS = {
    "fair": dict(zip(HAIR_COLOURS, (6, 10, 16, 14, 9, 8, 11, 13, 4, 5, 4))),
    "dark": dict(zip(HAIR_COLOURS, (48, 26, 9, 4, 3, 0, 2, 0, 0, 5, 3))),
}
IRIS_ODDS = {
    "fair": dict(zip(IRIS_COLOURS, (6, 20, 14, 10, 15, 12, 23))),
    "dark": dict(zip(IRIS_COLOURS, (48, 36, 8, 6, 2, 0, 0))),
}


def sample_traits(seed: int, index: int) -> Traits:
    """The person number `index` of the population `seed`; the order of the draws is part of who that is."""
    draw = Draw(np.random.default_rng((seed, index)))
    manner = "adorned" if draw.chance(0.52) else "plain"
    tone = draw.pick(dict(zip(SKIN_TONES, (12, 16, 16, 14, 11, 10, 9, 7, 5))))
    descent = "fair" if tone in ("porcelain", "ivory", "sand") else "dark"
    skin = draw.shift(from_hex(SKIN_TONES[tone]), 0.04)
    hair_colour = from_hex(HAIR_COLOURS[draw.pick(HAIR_ODDS[descent])])
    cut = draw.pick(CUT_ODDS[manner])
    hair = Hair(cut, draw.shift(hair_colour, 0.1), draw.around(0, 0.55), draw.between(0, 1), draw.between(0, 500))
    ranges = ((0, 0.14), (-0.12, 0.08), (0.445, 0.055), (0, 0.15), (0, 0.31))
    return Traits(
        pose=Pose(*(draw.around(mean, spread) for mean, spread in ranges)),
        light=_light(draw),
        face=_face(draw, manner, skin),
        eyes=_eyes(draw, manner, descent, skin),
        brows=Brows(
            height=draw.around(0.29, 0.05),
            thickness=draw.around({"plain": 0.058, "adorned": 0.042}[manner], 0.018),
            arch=draw.around(0.075, 0.045),
            slant=draw.around(-0.01, 0.15),
            colour=blend(hair.colour * np.float32(0.62), from_hex("2a1d18"), 0.25),
        ),
        nose=Nose(draw.around(0.56, 0.07), draw.around(0.245, 0.06), draw.around(0.105, 0.025)),
        mouth=_mouth(draw, manner, skin),
        beard=Beard(*BEARDS[draw.pick(BEARD_ODDS[manner])]),
        hair=hair,
        hat=Hat(draw.pick(HAT_ODDS), draw.colour(FABRICS), draw.colour(FABRICS)),
        glasses=Glasses(
            tint=draw.between(0.82, 0.98) if draw.chance(0.18) else 0.0,
            kind=draw.pick(RIM_ODDS),
            colour=draw.colour(FRAMES),
        ),
        jewellery=Jewellery(
            earring=draw.pick(EARRING_ODDS[manner]),
            necklace=draw.pick(NECKLACE_ODDS[manner]),
            metal=draw.colour(METALS),
            stone=draw.colour(FABRICS | METALS),
        ),
        clothing=Clothing(
            collar=draw.pick(COLLAR_ODDS),
            pattern=draw.pick(PATTERN_ODDS),
            colour=draw.colour(FABRICS),
            accent=draw.colour(FABRICS),
            shoulder=draw.around({"plain": 2.25, "adorned": 1.95}[manner], 0.15),
            slope=draw.around(0.34, 0.09),
        ),
        backdrop=Backdrop(
            scene=draw.pick(SCENE_ODDS),
            colour=draw.colour(WALLS, 0.08),
            accent=draw.colour(WALLS, 0.08),
            size=draw.between(0, 1),
            phase=(draw.between(0, 60), draw.between(0, 60)),
        ),
        grain=(draw.between(0, 200), draw.between(0, 200)),
    )


def _light(draw: Draw) -> Light:
    angle = draw.around(0, 1.25)  # from straight above, in radians
    warmth = draw.between(-0.045, 0.06)
    tint = np.array([1 + warmth, 1 + 0.15 * warmth, 1 - warmth], np.float32)
    return Light(float(np.sin(angle)), -float(np.cos(angle)), draw.between(0.65, 1.15), tint)


def _face(draw: Draw, manner: str, skin: Colour) -> Face:
    square = {"plain": 2.35, "adorned": 2.12}[manner]
    return Face(
        width=draw.around(0.97, 0.06),
        chin=draw.around(1.31, 0.09),
        squareness=draw.around(square, 0.22),
        taper=draw.around(0.17, 0.09),
        skin=skin,
        blush=draw.between(0.05, 0.3) * {"plain": 0.6, "adorned": 1.0}[manner],
        freckles=max(0.0, draw.between(-1.6, 0.8)),
        age=draw.between(0, 1) ** 2,
        ear=draw.around(1.0, 0.1),
    )


def _eyes(draw: Draw, manner: str, descent: str, skin: Colour) -> Eyes:
    made_up = {"plain": 0.0, "adorned": 1.0}[manner]
    return Eyes(
        spacing=draw.around(0.425, 0.03),
        width=draw.around(0.215, 0.025),
        opening=draw.around(0.118 + 0.012 * made_up, 0.030),
        slant=draw.around(-0.05, 0.13),
        gaze=(draw.around(0, 0.055), draw.around(0.0, 0.02)),
        iris=draw.shift(from_hex(IRIS_COLOURS[draw.pick(IRIS_ODDS[descent])]), 0.08),
        lash=draw.between(0.016, 0.028) + 0.012 * made_up,
        shadow=draw.shift(blend(skin * np.float32(0.55), from_hex("7a4a5e"), 0.35), 0.1),
        shadow_strength=0.25 + made_up * draw.between(0.0, 0.5),
    )


def _mouth(draw: Draw, manner: str, skin: Colour) -> Mouth:
    natural = blend(skin * np.array([0.80, 0.60, 0.60], np.float32), BLOOD * np.float32(0.72), 0.16)
    stick = draw.colour(LIPSTICKS)
    made_up = draw.chance({"plain": 0.0, "adorned": 0.6}[manner])
    smile = draw.between(0.1, 1.0)
    return Mouth(
        line=draw.around(0.86, 0.04),
        width=draw.around(0.37, 0.06),
        smile=smile,
        gap=max(0.0, draw.between(-0.10, 0.17) - 0.10 * (1 - smile)),  # who opens the mouth mostly smiles
        upper=draw.around(0.080, 0.020),
        lower=draw.around(0.112, 0.03),
        colour=blend(natural, stick, draw.between(0.55, 0.95)) if made_up else natural,
        gloss=draw.between(0.12, 0.35) + 0.25 * made_up,
    )


class Draw:
    """A random generator that speaks in the ranges and tables of this file and returns plain Python floats."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * float(self._rng.random())

    def around(self, mean: float, spread: float) -> float:
        """Bell-shaped around `mean`, never further off than `spread`."""
        return mean + spread * (float(self._rng.random()) + float(self._rng.random()) - 1)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(self._rng.random()) < probability

    def pick(self, odds: Mapping[str, float]) -> str:
        """A key of `odds`, as likely as its value."""
        bounds = np.cumsum(list(odds.values()))
        return list(odds)[int(np.searchsorted(bounds, self._rng.random() * bounds[-1], side="right"))]

    def colour(self, table: Mapping[str, str], vary: float = 0.04) -> Colour:
        """A named colour of `table`, each channel and the whole shifted a little."""
        codes = list(table.values())
        return self.shift(from_hex(codes[int(self._rng.random() * len(codes))]), vary)

    def shift(self, colour: Colour, vary: float) -> Colour:
        """`colour` [3] with its brightness and tint varied by up to `vary`."""
        gain = 1 + vary * (2 * self._rng.random() - 1) + 0.5 * vary * (2 * self._rng.random(3) - 1)
        return np.clip(colour * gain, 0, 1).astype(np.float32)
