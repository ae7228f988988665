"""Texture from around the hole: it comes back where it repeats, and nothing of the hole is read."""

import numpy as np
import pytest

from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.texture import add_texture
from scan_jax.inference.ways import WAYS


def bricks(height=110, width=140):
    """A pattern that repeats every 14 columns and 10 rows, under light that changes slowly."""
    rows, columns = np.mgrid[:height, :width]
    shifted = columns + 7 * (rows // 10 % 2)
    mortar = (rows % 10 < 2) | (shifted % 14 < 2)
    light = 0.8 + 0.2 * columns / width
    image = np.where(mortar[..., None], (190, 180, 170), (150, 60, 40)) * light[..., None]
    hole = np.zeros((height, width), bool)
    hole[35:75, 50:95] = True
    return np.round(image).astype(np.uint8), hole


def test_a_pattern_goes_on_where_an_equation_smears_it():
    image, hole = bricks()
    smooth = WAYS["harmonic"](image, hole)
    textured = add_texture(smooth, hole)
    np.testing.assert_array_equal(textured[~hole], image[~hole])
    before, after = (np.abs(each.astype(int) - image)[hole].mean() for each in (smooth, textured))
    assert after < 0.5 * before
    assert textured[hole].std() > 0.9 * image[hole].std() > 1.2 * smooth[hole].std()
    np.testing.assert_array_equal(add_texture(smooth, hole), textured)


@pytest.mark.parametrize("name", ["harmonic", "telea"])
def test_what_the_hole_holds_makes_no_difference(name):
    image, hole = bricks()
    fill = Inpainter.load(name)
    filled = fill(image, hole, texture=True)
    np.testing.assert_array_equal(filled, add_texture(fill(image, hole), hole))
    np.testing.assert_array_equal(fill(np.where(hole[..., None], 255 - image, image), hole, texture=True), filled)


def test_where_there_is_nothing_to_take_from_the_filling_stays():
    image, hole = bricks()
    np.testing.assert_array_equal(add_texture(image, np.zeros_like(hole)), image)
    for ones in (np.ones_like(hole), np.indices(hole.shape).sum(axis=0) % 5 < 2):  # no patch of 7x7 is known
        np.testing.assert_array_equal(add_texture(image, ones), image)
    small = np.zeros((5, 6), bool)
    small[2, 3] = True
    np.testing.assert_array_equal(add_texture(image[:5, :6], small), image[:5, :6])
