"""Heat maps show the largest weight as red and mark the pixel that looks; the pixels chosen lie in the hole."""

import numpy as np
import pytest

from scan_jax.evaluation.heat_map import choose_points, overlay


def test_points_lie_in_the_hole_apart_from_each_other():
    known = np.ones((20, 30, 1))
    known[2:9, 3:10] = 0
    known[10:19, 20:29] = 0
    points = choose_points(known, 2)
    assert all(known[row, column, 0] == 0 for row, column in points)
    np.testing.assert_array_equal(points[0], [14, 24])  # the middle of the larger one
    assert points[1][0] < 9
    np.testing.assert_array_equal(choose_points(np.ones((20, 30, 1)), 3), [[10, 15]] * 3)


def test_high_is_red_low_is_blue_and_the_pixel_black():
    image, weights = np.full((40, 40, 3), 0.5), np.zeros((40, 40))
    weights[5, 6] = 0.02
    picture = overlay(image, weights, np.array([30, 31]))
    red, blue = picture[5, 6], picture[20, 20]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    np.testing.assert_array_equal(picture[30, 31], 0)
    assert np.isfinite(overlay(image, np.zeros((40, 40)), np.array([0, 0]))).all()
    with pytest.raises(ValueError, match=r"\[H,W,3\] and \[H,W\]"):
        overlay(image, weights[:-1], np.array([0, 0]))
