"""Ratios, drawn holes and the registry of sources."""

import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.masks.api import open_holes
from scan_jax.masks.ratio import (
    BUCKETS,
    BUCKETS_FROM_ZERO,
    Bucket,
    bucket_of,
    draw_within,
    fit,
    hole_ratio,
    make_buckets,
)

DRAWN = ("free_form", "lama_medium", "lama_thin", "rectangles", "strokes", "mixture")


def hole_of(pixels, size=10):
    hole = np.zeros(size * size, bool)
    hole[:pixels] = True
    return hole.reshape(size, size)


def test_buckets_are_lower_open_and_upper_closed():
    labels = {10: "0-10%", 11: "10-20%", 20: "10-20%", 30: "20-30%", 31: "30-40%", 60: "50-60%"}
    for pixels, label in labels.items():
        assert bucket_of(hole_ratio(hole_of(pixels))).label == label
    for pixels in (0, 61, 100):
        assert bucket_of(hole_ratio(hole_of(pixels))) is None
    assert [bucket.label for bucket in BUCKETS] == ["10-20%", "20-30%", "30-40%", "40-50%", "50-60%"]
    assert BUCKETS_FROM_ZERO[0].label == "0-10%"
    assert [bucket.label for bucket in make_buckets(np.arange(0.1, 0.45, 0.1))] == ["10-20%", "20-30%", "30-40%"]


@pytest.mark.parametrize("range_", [(0.2, 0.2), (0.3, 0.1), (-0.1, 0.5), (0.5, 1.5)])
def test_senseless_ranges_are_refused(range_):
    with pytest.raises(UserError, match="0 <= low < high <= 1"):
        Bucket(*range_)
    with pytest.raises(UserError, match=r"^config\.holes\.ratio(\[\d\])? must be (from 0 to 1|.* that rise), not"):
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
        assert (hole.shape, hole.dtype) == ((size, size), np.bool_)
        assert ratio[0] < hole.mean() <= ratio[1]


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("ratio", [(0.1, 0.6), (0.3333, 0.334)])  # tight limits are met by fitting
def test_draws_are_pure_in_the_generator_and_differ_between_generators(name, ratio):
    source = open_holes({"name": name, "ratio": ratio}).train
    once, again, other = (source.draw(np.random.default_rng(seed), 64) for seed in (3, 3, 4))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert ratio[0] < once.mean() <= ratio[1]


@pytest.mark.parametrize(
    ("section", "match"),
    [
        ({"name": "freeform"}, r"'freeform', did you mean 'free_form'\?.*mask_folder.*rectangles"),
        *(({"name": name}, r"config\.holes\.name has no") for name in ("ratio", "", "no such.name")),
        ({"name": "rectangles", "ratios": (0.1, 0.2)}, r"config.holes.ratios, did you mean 'ratio'"),
        ({"name": "free_form", "stroke_width": (0.3, 0.1)}, "stroke_width"),
        ({"name": "rectangles", "ratio": (0.3, 0.301)}, "widen"),  # no pixel count meets these limits
    ],
)
def test_what_cannot_be_opened_or_drawn(section, match):
    with pytest.raises(UserError, match=match):
        open_holes(section).train.draw(np.random.default_rng(0), 8)


def test_fit_changes_as_few_pixels_as_needed_only_one_way_and_of_the_nearest_try():
    hole = np.zeros((9, 13), bool)
    hole[3:6, 4:8] = True  # 12 of 117
    grown, worn = fit(hole, Bucket(0.2, 0.3)), fit(hole, Bucket(0.01, 0.05))
    assert (grown.sum(), worn.sum()) == (24, 5)  # 0.2 * 117 = 23.4 and 0.05 * 117 = 5.85
    assert (worn <= hole).all() and (hole <= grown).all()
    assert fit(hole, Bucket(0.1, 0.2)) is hole
    grown = fit(np.zeros((9, 9), bool), Bucket(0.1, 0.2))
    assert grown.sum() == 9
    np.testing.assert_array_equal(np.argwhere(grown), [(y, x) for y in (3, 4, 5) for x in (3, 4, 5)])
    assert fit(np.ones((9, 9), bool), Bucket(0.5, 0.9)).sum() == 72
    tries = iter([hole_of(90), hole_of(45), hole_of(1)])
    fitted = draw_within(lambda rng, size: next(tries), np.random.default_rng(0), 10, Bucket(0.3, 0.4), attempts=3)
    assert fitted.sum() == 40
    assert (fitted <= hole_of(45)).all()
