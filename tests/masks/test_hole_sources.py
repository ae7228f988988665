"""Ratios, drawn holes and the registry of sources."""

import numpy as np
import pytest

from scan_jax.errors import UserError
from scan_jax.masks.api import open_holes
from scan_jax.masks.fitting import draw_within, fit
from scan_jax.masks.ratio import BUCKETS, BUCKETS_FROM_ZERO, Bucket, bucket_of, hole_ratio, make_buckets

DRAWN = ("free_form", "rectangles", "strokes", "mixture")


def hole_of(pixels, size=10):
    hole = np.zeros(size * size, bool)
    hole[:pixels] = True
    return hole.reshape(size, size)


@pytest.mark.parametrize(
    ("pixels", "label"), [(10, "0-10%"), (11, "10-20%"), (20, "10-20%"), (30, "20-30%"), (31, "30-40%"), (60, "50-60%")]
)
def test_buckets_are_lower_open_and_upper_closed(pixels, label):
    assert bucket_of(hole_ratio(hole_of(pixels))).label == label


@pytest.mark.parametrize("pixels", [0, 61, 100])
def test_ratios_beyond_the_buckets_have_none(pixels):
    assert bucket_of(hole_ratio(hole_of(pixels))) is None


def test_labels_of_the_standard_buckets():
    assert [bucket.label for bucket in BUCKETS] == ["10-20%", "20-30%", "30-40%", "40-50%", "50-60%"]
    assert BUCKETS_FROM_ZERO[0].label == "0-10%"
    assert [bucket.label for bucket in make_buckets(np.arange(0.1, 0.45, 0.1))] == ["10-20%", "20-30%", "30-40%"]


@pytest.mark.parametrize("range_", [(0.2, 0.2), (0.3, 0.1), (-0.1, 0.5), (0.5, 1.5)])
def test_senseless_ranges_are_refused(range_):
    with pytest.raises(UserError, match="0 <= low < high <= 1"):
        Bucket(*range_)
    with pytest.raises(UserError, match="0 <= low < high <= 1"):
        open_holes({"name": "free_form", "ratio": range_})


def test_pixel_range_agrees_with_membership():
    for bucket in (*BUCKETS_FROM_ZERO, Bucket(0.15, 0.3), Bucket(0.0, 1.0)):
        for pixels in (49, 100, 4096):
            fewest, most = bucket.pixel_range(pixels)
            inside = [count for count in range(pixels + 1) if count / pixels in bucket]
            assert (fewest, most) == (inside[0], inside[-1])


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((1, 4, 4), bool)])
def test_hole_ratio_refuses_what_is_no_hole(array):
    with pytest.raises(ValueError, match="bool"):
        hole_ratio(array)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size", [17, 64, 256])
@pytest.mark.parametrize("ratio", [(0.0, 0.1), (0.01, 0.2), (0.1, 0.6), (0.5, 0.6), (0.9, 1.0)])
def test_drawn_holes_lie_within_the_limits(name, size, ratio):
    source = open_holes({"name": name, "ratio": ratio}).train
    rng = np.random.default_rng(0)
    for _ in range(5):
        hole = source.draw(rng, size)
        assert hole.shape == (size, size)
        assert hole.dtype == np.bool_
        assert ratio[0] < hole.mean() <= ratio[1]


@pytest.mark.parametrize("name", DRAWN)
def test_draws_are_pure_in_the_generator_and_differ_between_generators(name):
    source = open_holes({"name": name}).train
    once, again, other = (source.draw(np.random.default_rng(seed), 64) for seed in (3, 3, 4))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


@pytest.mark.parametrize("name", DRAWN)
def test_tight_limits_are_met_by_fitting(name):
    source = open_holes({"name": name, "ratio": (0.3333, 0.334)}).train
    once, again = (source.draw(np.random.default_rng(0), 64) for _ in range(2))
    assert 0.3333 < once.mean() <= 0.334
    np.testing.assert_array_equal(once, again)


def test_limits_that_no_pixel_count_meets_are_refused():
    with pytest.raises(UserError, match="widen"):
        open_holes({"name": "rectangles", "ratio": (0.3, 0.301)}).train.draw(np.random.default_rng(0), 8)


def test_free_form_holes_are_the_same_shapes_at_every_size():
    source = open_holes({"name": "free_form", "ratio": (0.0, 1.0)}).train
    for seed in range(10):
        fine, coarse = (source.draw(np.random.default_rng(seed), size) for size in (256, 64))
        np.testing.assert_array_equal(coarse, fine[2::4, 2::4])


def test_fit_changes_as_few_pixels_as_needed_and_only_one_way():
    hole = np.zeros((9, 13), bool)
    hole[3:6, 4:8] = True  # 12 of 117
    grown, worn = fit(hole, Bucket(0.2, 0.3)), fit(hole, Bucket(0.01, 0.05))
    assert grown.sum() == 24  # 0.2 * 117 = 23.4
    assert (grown >= hole).all()
    assert worn.sum() == 5  # 0.05 * 117 = 5.85
    assert (worn <= hole).all()
    assert fit(hole, Bucket(0.1, 0.2)) is hole


def test_fit_grows_a_blob_from_nothing_and_wears_a_full_hole():
    grown = fit(np.zeros((9, 9), bool), Bucket(0.1, 0.2))
    assert grown.sum() == 9
    np.testing.assert_array_equal(np.argwhere(grown), [(y, x) for y in (3, 4, 5) for x in (3, 4, 5)])
    assert fit(np.ones((9, 9), bool), Bucket(0.5, 0.9)).sum() == 72


def test_draw_within_fits_the_nearest_try():
    tries = iter([hole_of(90), hole_of(45), hole_of(1)])
    fitted = draw_within(lambda rng, size: next(tries), np.random.default_rng(0), 10, Bucket(0.3, 0.4), attempts=3)
    assert fitted.sum() == 40
    assert (fitted <= hole_of(45)).all()


def test_unknown_source_names_the_nearest():
    with pytest.raises(UserError, match=r"'freeform', did you mean 'free_form'\?.*mask_folder.*rectangles"):
        open_holes({"name": "freeform"})
    for no_source in ("ratio", "", "no such.name"):
        with pytest.raises(UserError, match=r"config\.holes\.name has no"):
            open_holes({"name": no_source})


def test_unknown_key_and_senseless_strokes_are_refused():
    with pytest.raises(UserError, match=r"config.holes.ratios, did you mean 'ratio'"):
        open_holes({"name": "rectangles", "ratios": (0.1, 0.2)})
    with pytest.raises(UserError, match="stroke_width"):
        open_holes({"name": "free_form", "stroke_width": (0.3, 0.1)})
