"""LaMa's holes (Suvorov et al. 2022): chains of wide strokes or boxes, as the released configs draw them."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import cv2
import numpy as np

from scan_jax.core.bounds import Ratios
from scan_jax.masks.shapes import DrawnHoles
from scan_jax.masks.strokes import fine_canvas, thin

SEGMENTS = 5  # of a stroke, at most
MIN_LENGTH, MIN_WIDTH = 10, 5  # of a segment, in a recipe's pixels
HEADINGS = tuple(0.01 + turn for turn in range(4))  # radians, from the y axis: whole ones, as the release draws them


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The numbers of a config for one size, in its pixels; ranges hold both ends."""

    side: int
    strokes: tuple[int, int]  # the released code paints up to one more than its config says
    lengths: int  # how many there are, from `MIN_LENGTH` on
    widths: int  # how many there are, from `MIN_WIDTH` on
    box_share: float = 0.0  # of the holes; the others are of strokes
    boxes: tuple[int, int] = (0, 0)
    box_side: tuple[int, int] = (0, 0)
    margin: int = 0  # of boxes, to the border


@dataclasses.dataclass(frozen=True)
class LamaHoles(DrawnHoles):
    """Either strokes, whose segments have a length, a width and one of four headings each, or boxes.

    The release has a recipe for 256x256 and another for 512x512, which is no scaled copy; up to 256 pixels the first is
    scaled here, above them the other. Its test sets leave out holes of more than half, and so does `ratio`.
    """

    ratio: Ratios = (0.0, 0.5)
    recipes: ClassVar[tuple[Recipe, ...]] = ()  # by rising side

    def _try(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One hole, bool [size,size], of any ratio."""
        recipe = next((one for one in self.recipes if size <= one.side), self.recipes[-1])
        canvas = fine_canvas(size)
        (_boxes if rng.random() < recipe.box_share else _strokes)(rng, canvas, recipe)
        return thin(canvas, size)


class LamaThin(LamaHoles):
    """Many narrow strokes: the paper's narrow masks."""

    title = "LaMa's thin strokes"
    recipes = (Recipe(256, (4, 51), 40, 10), Recipe(512, (4, 71), 100, 20))


class LamaMedium(LamaHoles):
    """A few strokes, or in 3 of 13 holes small boxes."""

    title = "LaMa's medium strokes and boxes"
    recipes = (
        Recipe(256, (4, 6), 100, 50, 3 / 13, (1, 5), (10, 50)),
        Recipe(512, (4, 11), 200, 100, 3 / 13, (1, 5), (30, 150)),
    )


class LamaThick(LamaHoles):
    """A few strokes up to 40% of the side wide, or in 3 of 13 holes large boxes: the paper's wide masks."""

    title = "LaMa's thick strokes and boxes"
    recipes = (
        Recipe(256, (1, 6), 200, 100, 3 / 13, (1, 3), (30, 150), 10),
        Recipe(512, (1, 6), 450, 250, 3 / 13, (1, 4), (30, 300), 10),
    )


@dataclasses.dataclass(frozen=True)
class LamaTraining(LamaHoles):
    """What Big-LaMa is trained on, at 256x256: thick strokes, or in every second hole boxes; of any ratio."""

    ratio: Ratios = (0.0, 1.0)
    title = "LaMa's training strokes and boxes"
    recipes = (Recipe(256, (1, 6), 200, 100, 1 / 2, (1, 4), (30, 150), 10),)


def _strokes(rng: np.random.Generator, canvas: np.ndarray, recipe: Recipe) -> None:
    """Paints `canvas`, uint8 [S,S], with ones; every second stroke has its headings mirrored."""
    edge = len(canvas)
    scale = edge / recipe.side
    for number in range(int(rng.integers(recipe.strokes[0], recipe.strokes[1] + 1))):
        side = 1 if number % 2 else -1
        start = (int(rng.integers(edge)), int(rng.integers(edge)))  # x, y
        choices = (len(HEADINGS), recipe.lengths, recipe.widths)
        for turn, length, width in rng.integers(0, choices, (int(rng.integers(1, SEGMENTS + 1)), 3)).tolist():
            reach, heading = scale * (MIN_LENGTH + length), HEADINGS[turn]
            # The C library's sine: NumPy's vectorised one differs between processors.
            x, y = start[0] + side * reach * math.sin(heading), start[1] + reach * math.cos(heading)
            end = (min(max(int(x), 0), edge), min(max(int(y), 0), edge))
            cv2.line(canvas, start, end, 1, max(round(scale * (MIN_WIDTH + width)), 1))
            start = end


def _boxes(rng: np.random.Generator, canvas: np.ndarray, recipe: Recipe) -> None:
    """Fills boxes of `canvas`, uint8 [S,S], with ones; they lie within the margin and may overlap."""
    edge = len(canvas)
    scale = edge / recipe.side
    margin = round(scale * recipe.margin)
    for _ in range(int(rng.integers(recipe.boxes[0], recipe.boxes[1] + 1))):
        height, width = (round(scale * int(rng.integers(recipe.box_side[0], recipe.box_side[1] + 1))) for _ in range(2))
        top, left = (int(rng.integers(margin, edge - margin - side + 1)) for side in (height, width))
        canvas[top : top + height, left : left + width] = 1
