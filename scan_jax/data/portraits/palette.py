"""Named colours, and the three-tone materials that shading mixes. Colours are sRGB float32 [3] in [0, 1]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Colour = np.ndarray

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
