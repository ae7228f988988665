"""Grain: as strong, as coarse and as coloured as around the hole, added only where it lacks."""

import cv2
import numpy as np
import pytest

from scan_jax.inference.grain import add_grain
from scan_jax.inference.inpainter import Inpainter

SIDE, HOLE = 160, np.s_[50:110, 50:110]


def slope(deviation=0.0, coarse=0.0, mix=None):
    """A slope from dark to bright with noise of so many levels, and its hole."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    image = 70 + 0.3 * np.stack([x, y, (x + y) / 2], axis=-1)
    noise = np.random.default_rng(3).standard_normal(image.shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), coarse) if coarse else noise
    noise = (noise if mix is None else noise @ np.array(mix, np.float32)) / noise.std()
    hole = np.zeros((SIDE, SIDE), bool)
    hole[HOLE] = True
    return image, np.round(image + deviation * noise).clip(0, 255).astype(np.uint8), hole


def grain_of(image, place):
    """What lies on the slope, in levels: [n,3]."""
    rest = image.astype(np.float32) - slope()[0]
    return rest[place] - rest[place].mean(axis=(0, 1))


@pytest.mark.parametrize("coarse", [0.0, 0.7, 1.0])
def test_a_smooth_filling_gets_the_grain_around_it(coarse):
    smooth, noisy, hole = slope(6, coarse)
    filled = np.where(hole[..., None], np.round(smooth).astype(np.uint8), noisy)
    grained = add_grain(filled, hole)
    np.testing.assert_array_equal(grained[~hole], filled[~hole])
    wanted, found = grain_of(noisy, np.s_[:50, :]), grain_of(grained, HOLE)
    assert found.std() == pytest.approx(wanted.std(), rel=0.06)
    alike = [np.mean(g[:, 1:] * g[:, :-1]) / np.mean(g**2) for g in (wanted, found)]
    assert alike[1] == pytest.approx(alike[0], abs=0.12)


def test_grey_grain_stays_grey():
    smooth, noisy, hole = slope(6, mix=np.full((3, 3), 1 / np.sqrt(3)))
    found = grain_of(add_grain(np.where(hole[..., None], np.round(smooth).astype(np.uint8), noisy), hole), HOLE)
    correlation = np.corrcoef(found.reshape(-1, 3).T)
    assert correlation.min() > 0.9


def test_nothing_is_added_where_nothing_lacks():
    _, noisy, hole = slope(6)
    before, after = grain_of(noisy, HOLE), grain_of(add_grain(noisy, hole), HOLE)
    assert after.std() < 1.05 * before.std()
    _, clean, _ = slope(0)
    assert np.abs(add_grain(clean, hole).astype(int) - clean).max() <= 1


def test_the_seed_is_the_noise_and_too_little_around_is_left_alone():
    smooth, noisy, hole = slope(6)
    filled = np.where(hole[..., None], np.round(smooth).astype(np.uint8), noisy)
    one, again, other = (add_grain(filled, hole, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one[hole] != other[hole]).mean() > 0.5
    for everything in (np.ones_like(hole), np.pad(np.ones((SIDE - 6, SIDE - 6), bool), 3)):
        np.testing.assert_array_equal(add_grain(filled, everything), filled)
    np.testing.assert_array_equal(add_grain(filled, np.zeros_like(hole)), filled)


def test_it_is_an_option_of_filling_and_what_the_hole_holds_makes_no_difference():
    _, noisy, hole = slope(6)
    fill = Inpainter.load("telea")
    grained = fill(noisy, hole, grain=True, seed=4)
    np.testing.assert_array_equal(grained, add_grain(fill(noisy, hole), hole, 4))
    other = np.where(hole[..., None], 255 - noisy, noisy)
    np.testing.assert_array_equal(fill(other, hole, grain=True, seed=4), grained)
    assert (grained != fill(noisy, hole)).any()
