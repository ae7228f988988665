"""Metrics of the hole on pictures whose values are known without computing."""

import numpy as np
import pytest
from metric_oracles import as_floats
from skimage.color import rgb2lab

from scan_jax.metrics.checks import METRICS as CHECKS
from scan_jax.metrics.hole_only import METRICS as HOLE_ONLY


def square_hole(size=24, low=8, high=16):
    hole = np.zeros((1, size, size), bool)
    hole[:, low:high, low:high] = True
    return hole


def value(metric, image, photograph, hole):
    return float(metric(*as_floats(image, photograph, hole))[0])


@pytest.mark.parametrize("name", HOLE_ONLY)
def test_what_is_known_does_not_count(name):
    rng = np.random.default_rng(0)
    photograph, image = rng.integers(0, 256, (2, 1, 24, 24, 3))
    hole = square_hole(24, 9, 15)
    outside = np.ones_like(hole)
    outside[:, 4:20, 4:20] = False  # no window around the hole reaches there
    other = np.where(outside[..., None], 255 - image, image)
    assert value(HOLE_ONLY[name], image, photograph, hole) == pytest.approx(
        value(HOLE_ONLY[name], other, photograph, hole), abs=1e-6
    )


@pytest.mark.parametrize("name, best", [("psnr", np.inf), ("ssim", 1.0), ("mae", 0.0)])
def test_without_a_hole_nothing_is_wrong(name, best):
    image, photograph = np.zeros((1, 16, 16, 3)), np.full((1, 16, 16, 3), 255)
    assert value(HOLE_ONLY[name], image, photograph, np.zeros((1, 16, 16), bool)) == best


def test_a_step_of_ten_levels_is_a_seam_of_ten():
    photograph, hole = np.full((1, 24, 24, 3), 100), square_hole()
    image = np.where(hole[..., None], 110, photograph)
    assert value(CHECKS["seam"], image, photograph, hole) == 10.0


def test_an_edge_that_the_fill_does_not_meet_is_negative():
    hole = square_hole()
    photograph = np.where(hole[..., None], 140, np.full((1, 24, 24, 3), 100))  # the object ends where the hole does
    image = np.full_like(photograph, 100)
    assert value(CHECKS["seam"], image, photograph, hole) == -40.0


def test_corners_are_no_neighbours_and_the_image_border_is_no_seam():
    hole = np.zeros((1, 9, 9), bool)
    hole[:, 0, 0] = True  # two neighbours: to the right and below
    photograph = np.zeros((1, 9, 9, 3))
    photograph[:, 1, 0], photograph[:, 1, 1] = 30, 255
    image = photograph.copy()
    image[:, 0, 0] = 12  # jumps 12 and 18 where there were 0 and 30
    assert value(CHECKS["seam"], image, photograph, hole) == 0.0
    photograph[:, 1, 0] = image[:, 1, 0] = 0  # now 12 and 12 where there was nothing
    assert value(CHECKS["seam"], image, photograph, hole) == 12.0


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("full", [np.zeros, np.ones])
def test_nothing_to_check_is_zero(name, full):
    image, photograph = np.zeros((1, 16, 16, 3)), np.full((1, 16, 16, 3), 255)
    if name == "seam" or full is np.zeros:
        assert value(CHECKS[name], image, photograph, full((1, 16, 16), bool)) == 0.0


@pytest.mark.parametrize(
    "colours", [((200, 30, 60), (190, 40, 60)), ((0, 0, 0), (255, 255, 255)), ((1, 2, 3), (3, 2, 1))]
)
def test_colour_shift_of_flat_colours_is_delta_e(colours):
    hole = square_hole()
    image, photograph = (np.zeros((1, 24, 24, 3), np.uint8) + np.uint8(colour) for colour in colours)
    expected = np.linalg.norm(np.subtract(*(rgb2lab(np.uint8(colour)[None, None])[0, 0] for colour in colours)))
    assert value(CHECKS["colour_shift"], image, photograph, hole) == pytest.approx(expected, abs=1e-4)


def test_a_blurred_fill_has_another_seam_but_hardly_another_colour():
    hole = square_hole()
    checkers = np.where(np.indices((24, 24)).sum(0) % 2, 90, 150)[None, ..., None] + np.zeros((1, 24, 24, 3), int)
    image = np.where(hole[..., None], 120, checkers)
    assert value(CHECKS["seam"], image, checkers, hole) == -30.0
    assert value(CHECKS["colour_shift"], image, checkers, hole) < 1.0
