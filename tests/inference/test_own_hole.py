"""Holes that photographs bring themselves, transparent or in one flat colour."""

import logging

import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.images.own_hole import check_hole_from, own_hole
from scan_jax.images.photograph import Photograph, read_photograph
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions, Request


def test_alpha_takes_all_that_is_not_opaque_of_grey_and_of_16_bits():
    for samples in (
        np.array([[[9, 0], [9, 255], [9, 254]]], np.uint8),
        np.array([[[9, 9, 9, 0], [9, 9, 9, 65535], [9, 9, 9, 65534]]], np.uint16),
    ):
        found = own_hole(Photograph(np.zeros((1, 3, 3), np.uint8), samples), "alpha")
        np.testing.assert_array_equal(found, [[True, False, True]])
    for opaque in (np.full((2, 2, 4), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(UserError, match="no pixel of the photograph is transparent: erase"):
            own_hole(read_photograph(opaque), "alpha")


def test_a_colour_is_exact_but_for_the_tolerance(caplog):
    row = np.array([[[255, 0, 255], [253, 2, 255], [255, 3, 255], [0, 0, 0]]], np.uint8)
    caplog.set_level(logging.INFO, "scan_jax")
    for given, tolerance, expected in (("ff00ff", 0, [1, 0, 0, 0]), ("#FF00ff", 2, [1, 1, 0, 0])):
        found = own_hole(read_photograph(row), given, tolerance)
        np.testing.assert_array_equal(found, np.array([expected], bool))
        assert f"painted in {given}, {sum(expected)} of 4 pixels" in caplog.text
        deep = Photograph(row, row.astype(np.uint16) * 257)
        np.testing.assert_array_equal(own_hole(deep, given, tolerance), found)
    grey = read_photograph(np.array([[7, 8]], np.uint8))
    np.testing.assert_array_equal(own_hole(grey, "080808"), [[False, True]])


def test_no_hole_says_how_far_the_nearest_colour_is():
    row = np.array([[[250, 0, 255, 255], [255, 0, 255, 0], [0, 0, 0, 255]]], np.uint8)
    with pytest.raises(UserError, match="has the colour ff00ff; the nearest is 5 levels off: --hole_tolerance=5 takes"):
        own_hole(read_photograph(row), "ff00ff")  # that of the second pixel cannot be seen
    np.testing.assert_array_equal(own_hole(read_photograph(row), "ff00ff", 5), [[True, False, False]])
    with pytest.raises(UserError, match="the colour ff00ff; none shows"):
        own_hole(read_photograph(row[:, 1:2]), "ff00ff")


def test_what_makes_no_sense_is_one_line():
    for given, message in (
        (("pink",), "--hole_from is alpha, or a colour of six hexadecimal digits"),
        (("ff00ff", -1), "--hole_tolerance is from 0 to 255 levels, not -1"),
        (("alpha", 3), "--hole_tolerance goes with a colour"),
        (("", 3), "--hole_tolerance goes with a colour"),
    ):
        with pytest.raises(UserError, match=message):
            check_hole_from(*given)
        with pytest.raises(UserError, match=message):
            FillOptions(hole_from=given[0], hole_tolerance=(*given, 0)[1])
    photograph, hole = np.zeros((2, 2, 4), np.uint8), np.ones((2, 2), bool)
    with pytest.raises(UserError, match="give the hole, or have it read from the photograph by --hole_from=alpha"):
        Request.open(photograph, hole, options=FillOptions(hole_from="alpha"))
    for fill in (Inpainter.load("telea"), lambda picture: next(Inpainter.load("telea").batch([picture]))):
        with pytest.raises(UserError, match="give the hole, or say where in the photograph it is"):
            fill(photograph)
    assert Request.open(photograph, None, options=FillOptions(hole_from="alpha")).hole.all()
