"""From a seed and a number to a face: draws a person's traits, then paints them from back to front.

Every number is drawn before a pixel exists, so a face does not depend on its size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.data.portraits.accessories import paint_earrings, paint_glasses, paint_hat, paint_necklace
from scan_jax.data.portraits.backdrop import paint_backdrop
from scan_jax.data.portraits.body import paint_clothes, paint_neck
from scan_jax.data.portraits.canvas import Canvas, develop, to_image, to_labels
from scan_jax.data.portraits.hair import paint_back_hair, paint_beard, paint_front_hair
from scan_jax.data.portraits.head import paint_brows, paint_ears, paint_eyes, paint_face, paint_mouth, paint_nose
from scan_jax.data.portraits.traits import (
    BLOOD,
    Backdrop,
    Beard,
    Brows,
    Clothing,
    Colour,
    Eyes,
    Face,
    Glasses,
    Hair,
    Hat,
    Jewellery,
    Light,
    Mouth,
    Nose,
    Pose,
    Traits,
    blend,
    from_hex,
)

# Colours by name.
SKIN_TONES = {
    "porcelain": "f2d0bd",
    "ivory": "ecc1a5",
    "sand": "dfab88",
    "honey": "cf9972",
    "olive": "bb8a63",
    "bronze": "a3704c",
    "chestnut": "86573c",
    "umber": "6a4430",
    "ebony": "523528",
}
HAIR_COLOURS = {
    "black": "211d20",
    "espresso": "38271f",
    "brown": "573a28",
    "chestnut": "74452b",
    "auburn": "83381f",
    "ginger": "b5632d",
    "honey": "b3854a",
    "blond": "d3ae70",
    "platinum": "e4d5b6",
    "grey": "8b8988",
    "silver": "c6c5c6",
}
IRIS_COLOURS = {
    "dark": "33211a",
    "brown": "5b3a22",
    "hazel": "83623a",
    "amber": "96672e",
    "green": "5c7a52",
    "grey": "75848c",
    "blue": "4f7fa8",
}
FABRICS = {
    "navy": "26344f",
    "denim": "4c6a8d",
    "sky": "93b5cf",
    "teal": "1f6467",
    "forest": "34573f",
    "sage": "98a78a",
    "mustard": "d0a03a",
    "rust": "b3562f",
    "brick": "8f3a35",
    "wine": "642536",
    "rose": "cf8d94",
    "lilac": "9f8dbb",
    "plum": "56386a",
    "cream": "ece3d0",
    "white": "e9eaec",
    "stone": "a59c90",
    "charcoal": "3a3b40",
    "black": "222226",
}
WALLS = {
    "fog": "c6ccd0",
    "slate": "6d7b88",
    "ink": "2d3a4c",
    "linen": "dccfb9",
    "sand": "c9ab83",
    "clay": "b87a5c",
    "blush": "d9b0a5",
    "olive": "83865d",
    "moss": "56714f",
    "mint": "a9cbb9",
    "sea": "5b949c",
    "dusk": "75688f",
    "gold": "d5ac58",
    "walnut": "6b4c37",
}
METALS = {"gold": "d9a94a", "silver": "c9ccd2", "rose gold": "d79c84", "bronze": "9a6b3d"}
FRAMES = {
    "black": "1d1d21",
    "tortoise": "5d3a22",
    "navy": "24345a",
    "red": "8c2b2b",
    "gold": "b08d45",
    "clear": "b9b3aa",
}
LIPSTICKS = {"berry": "8f2f4a", "red": "b3262f", "coral": "d1604f", "nude": "b9786a", "mauve": "94586a"}
# Odds, not probabilities: each table is normalised where it is drawn from.
CUT_ODDS = {
    "plain": {"bald": 7, "buzz": 12, "crop": 18, "side part": 22, "quiff": 18, "curls": 14, "afro": 5, "shaggy": 14},
    "adorned": {
        "tucked": 13,
        "long": 18,
        "waves": 20,
        "bob": 18,
        "fringe": 15,
        "bun": 10,
        "curtains": 8,
        "afro": 9,
        "pixie": 10,
    },
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
SCENE_ODDS = {
    "gradient": 13,
    "plaster": 11,
    "stripes": 12,
    "curtain": 10,
    "bricks": 12,
    "books": 14,
    "tiles": 9,
    "bokeh": 10,
    "leaves": 14,
    "panels": 9,
}
BEARD_ODDS = {"none": 50, "stubble": 20, "full": 16, "goatee": 7, "moustache": 7}
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
MIN_SIDE = 16
SUPERSAMPLED_UP_TO = 160  # below this a sample a pixel would lose lashes and rims
BACK_TO_FRONT = (
    *(paint_back_hair, paint_neck, paint_clothes, paint_necklace, paint_ears, paint_earrings),
    *(paint_face, paint_beard, paint_mouth, paint_nose, paint_eyes, paint_brows),
    *(paint_glasses, paint_front_hair, paint_hat),
)


def portrait(seed: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The drawn portrait number `index` of the population `seed`.

    Depends on nothing but its arguments. The same face appears at every size, so portraits at 64 and at 512 pixels
    are one data set at two resolutions.

    Args:
      seed: the population, non-negative.
      index: the person within it, non-negative.
      size: side in pixels, at least 16.

    Returns:
      image uint8 [size,size,3], RGB, and labels uint8 [size,size] with the classes of `Part`, 0-18.

    Raises:
      UserError: a size or number out of range.
    """
    if size < MIN_SIDE:
        raise UserError(f"a portrait is at least {MIN_SIDE} pixels a side, not {size}; ask for a larger size")
    if seed < 0 or index < 0:
        raise UserError(f"a portrait's seed and index count from 0, not seed={seed}, index={index}")
    return draw(sample_traits(seed, index), size)


def draw(traits: Traits, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 [size,size,3] and labels uint8 [size,size] of a person with these traits."""
    factor = 2 if size <= SUPERSAMPLED_UP_TO else 1
    canvas = Canvas(size * factor)
    paint_backdrop(canvas, traits.backdrop, traits.light)
    for paint in BACK_TO_FRONT:
        paint(canvas, traits)
    develop(canvas, traits.light, traits.grain)
    return to_image(canvas.rgb, factor), to_labels(canvas.labels, factor)


def sample_traits(seed: int, index: int) -> Traits:
    """The person number `index` of the population `seed`."""
    draw = Draw(np.random.default_rng((seed, index)))
    manner = "adorned" if draw.chance(0.52) else "plain"
    tone = draw.pick(dict(zip(SKIN_TONES, (12, 16, 16, 14, 11, 10, 9, 7, 5))))
    descent = "fair" if tone in ("porcelain", "ivory", "sand") else "dark"
    skin = draw.shift(from_hex(SKIN_TONES[tone]), 0.04)
    hair = _hair(draw, manner, descent)
    return Traits(
        pose=_pose(draw),
        light=_light(draw),
        face=_face(draw, manner, skin),
        eyes=_eyes(draw, manner, descent, skin),
        brows=_brows(draw, manner, hair.colour),
        nose=Nose(draw.around(0.56, 0.07), draw.around(0.245, 0.06), draw.around(0.105, 0.025)),
        mouth=_mouth(draw, manner, skin),
        beard=_beard(draw, manner),
        hair=hair,
        hat=Hat(draw.pick(HAT_ODDS), draw.colour(FABRICS), draw.colour(FABRICS)),
        glasses=_glasses(draw),
        jewellery=_jewellery(draw, manner),
        clothing=_clothing(draw, manner),
        backdrop=_backdrop(draw),
        grain=(draw.between(0, 200), draw.between(0, 200)),
    )


def _pose(draw: Draw) -> Pose:
    return Pose(
        draw.around(0, 0.14),
        draw.around(-0.12, 0.08),
        draw.around(0.445, 0.055),
        draw.around(0, 0.15),
        draw.around(0, 0.31),
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


def _brows(draw: Draw, manner: str, hair: Colour) -> Brows:
    return Brows(
        height=draw.around(0.29, 0.05),
        thickness=draw.around({"plain": 0.058, "adorned": 0.042}[manner], 0.018),
        arch=draw.around(0.075, 0.045),
        slant=draw.around(-0.01, 0.15),
        colour=blend(hair * np.float32(0.62), from_hex("2a1d18"), 0.25),
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


def _beard(draw: Draw, manner: str) -> Beard:
    kind = draw.pick(BEARD_ODDS)
    return Beard(*BEARDS[kind if manner == "plain" else "none"])


def _hair(draw: Draw, manner: str, descent: str) -> Hair:
    colour = from_hex(HAIR_COLOURS[draw.pick(HAIR_ODDS[descent])])
    cut = draw.pick(CUT_ODDS[manner])
    return Hair(cut, draw.shift(colour, 0.1), draw.around(0, 0.55), draw.between(0, 1), draw.between(0, 500))


def _glasses(draw: Draw) -> Glasses:
    dark = draw.between(0.82, 0.98) if draw.chance(0.18) else 0.0
    return Glasses(draw.pick(RIM_ODDS), draw.colour(FRAMES), dark)


def _jewellery(draw: Draw, manner: str) -> Jewellery:
    stones = {**FABRICS, **METALS}
    return Jewellery(
        draw.pick(EARRING_ODDS[manner]),
        draw.pick(NECKLACE_ODDS[manner]),
        draw.colour(METALS),
        draw.colour(stones),
    )


def _clothing(draw: Draw, manner: str) -> Clothing:
    shoulder = {"plain": 2.25, "adorned": 1.95}[manner]
    collar, pattern = draw.pick(COLLAR_ODDS), draw.pick(PATTERN_ODDS)
    base, accent = draw.colour(FABRICS), draw.colour(FABRICS)
    return Clothing(collar, pattern, base, accent, draw.around(shoulder, 0.15), draw.around(0.34, 0.09))


def _backdrop(draw: Draw) -> Backdrop:
    scene = draw.pick(SCENE_ODDS)
    base, accent = draw.colour(WALLS, 0.08), draw.colour(WALLS, 0.08)
    return Backdrop(scene, base, accent, draw.between(0, 1), (draw.between(0, 60), draw.between(0, 60)))


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
