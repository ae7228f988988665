"""Crops and flips: image and labels stay together, boxes follow the published draw, the default changes nothing."""

import math

import cv2
import numpy as np
import pytest

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings
from scan_jax.data.augmentation import Box, crop, draw_box, flip

CROPPING = AugmentationSettings(crop="random_resized")


def painted(size, step):
    """A photograph whose label is its own red channel: squares of `step` pixels, so that a shift shows."""
    rows, columns = np.indices((size, size)) // step
    labels = (7 * rows + columns).astype(np.uint8)
    image = np.stack([labels, 255 - labels, labels], axis=-1)
    return {"image": image, "labels": labels}


def boxes(settings, count, shape=(100, 100, 3), seed=0, size=64):
    rng = np.random.default_rng(seed)
    return np.array([draw_box(rng, shape, settings, size) for _ in range(count)])


def test_without_a_crop_nothing_is_drawn_nor_copied():
    rng = np.random.default_rng(0)
    box = draw_box(rng, (40, 40, 3), AugmentationSettings(), 40)
    assert rng.random() == np.random.default_rng(0).random()
    photo = painted(40, 5)
    whole = crop(photo, box, 40)
    assert box == (0, 0, 40, 40)
    assert np.shares_memory(whole["image"], photo["image"])
    np.testing.assert_array_equal(whole["image"], photo["image"])
    np.testing.assert_array_equal(whole["labels"], photo["labels"])


def test_areas_and_places_are_uniform_and_aspects_log_uniform():
    settings = AugmentationSettings("random_resized", scale=(0.2, 0.6), aspect=(0.5, 2.0))
    drawn = boxes(settings, 4000, (1000, 1000, 3))
    areas = np.prod(drawn[:, 2:], axis=1) / 1e6
    logs = np.log(drawn[:, 3] / drawn[:, 2]) / math.log(2)  # uniform in [-1, 1]
    for values, (low, high) in ((areas, (0.2, 0.6)), (logs, (-1.0, 1.0))):
        counts, _ = np.histogram(values, bins=8, range=(low - 1e-3 * (high - low), high + 1e-3 * (high - low)))
        assert counts.sum() >= 3990, "all within the limits, rounding aside"
        assert abs(counts - 500).max() < 5.5 * math.sqrt(500), "a box at the edge of fitting is drawn anew, if seldom"
    drawn = boxes(AugmentationSettings("random_resized", scale=(0.25, 0.25), aspect=(1.0, 1.0)), 3000)
    assert (drawn[:, 2:] == 50).all()
    for place in (drawn[:, 0], drawn[:, 1]):
        assert (place.min(), place.max()) == (0, 50)
        assert abs(place.mean() - 25) < 1.5


def test_a_box_that_cannot_fit_becomes_the_largest_centred_one():
    for aspect, box in (((2.0, 4.0), (25, 0, 50, 100)), ((0.1, 0.5), (0, 25, 100, 50)), ((1.0, 1.0), (0, 0, 100, 100))):
        settings = AugmentationSettings("random_resized", scale=(1.0, 1.0), aspect=aspect)
        assert set(map(tuple, boxes(settings, 20))) == {box}
    drawn = boxes(AugmentationSettings("random_resized", scale=(0.01, 0.01)), 200, (3, 3, 3))
    assert (drawn[:, 2:] >= 1).all(), "none is empty"
    assert (drawn[:, :2] + drawn[:, 2:] <= 3).all()


def test_squares_lie_anywhere_and_every_scale_is_as_likely():
    drawn = boxes(AugmentationSettings("random_square", share=(0.25, 1.0)), 4000, (400, 800, 3), size=64)
    assert (drawn[:, 2] == drawn[:, 3]).all() and (drawn[:, :2] >= 0).all()
    assert (drawn[:, :2] + drawn[:, 2:] <= (400, 800)).all() and (drawn[:, 1] > 600).any()
    counts, _ = np.histogram(np.log2(drawn[:, 2] / 400), bins=4, range=(-2.01, 0.01))
    assert counts.sum() == 4000 and abs(counts - 1000).max() < 5.5 * math.sqrt(1000)
    for high, size, sides in ((1.0, 100, (100, 400)), (0.2, 100, (100, 100)), (0.5, 500, (400, 400))):
        drawn = boxes(AugmentationSettings("random_square", share=(0.0, high)), 1000, (400, 800, 3), size=size)[:, 2]
        assert (drawn.min(), drawn.max()) == sides, "never enlarged where that can be helped"
    assert set(map(tuple, boxes(AugmentationSettings(), 3, (40, 100, 3)))) == {(0, 30, 40, 40)}


@pytest.mark.parametrize("size", [60, 37, 128])
def test_labels_stay_with_their_pixels(size):
    photo, rng = painted(96, 12), np.random.default_rng(3)
    for _ in range(20):
        cropped = crop(photo, draw_box(rng, photo["image"].shape, CROPPING, size), size)
        assert cropped["image"].shape == (size, size, 3)
        assert cropped["labels"].shape == (size, size)
        red, labels = cropped["image"][..., 0].astype(int), cropped["labels"].astype(int)
        assert (red == labels).mean() > 0.6, "but for the edges of squares, which are blends"
        # A shift by a few pixels, or labels left uncropped, would not pass that.
        assert (red == np.roll(labels, size // 8, axis=1)).mean() < 0.5


def test_shrinking_averages_and_growing_is_bicubic():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    half = crop({"image": image}, Box(0, 0, 64, 64), 32)["image"]
    mean = image.reshape(32, 2, 32, 2, 3).astype(float).mean((1, 3))
    assert np.abs(half - mean).max() <= 0.5
    grown = crop({"image": image}, Box(8, 16, 20, 20), 40)["image"]
    np.testing.assert_array_equal(grown, cv2.resize(image[8:28, 16:36], (40, 40), interpolation=cv2.INTER_CUBIC))
    # One axis shrinks to half while the other grows: every row of averages, and nothing but them, is enlarged.
    mixed = crop({"image": image}, Box(0, 0, 64, 16), 32)["image"]
    rows = np.round(image[:, :16].reshape(32, 2, 16, 3).astype(float).mean(1)).astype(np.uint8)
    wanted = cv2.resize(rows, (32, 32), interpolation=cv2.INTER_CUBIC)
    assert np.abs(mixed.astype(int) - wanted).max() <= 2
    photo = {"image": np.full((50, 50, 3), (10, 100, 250), np.uint8)}
    for box in (Box(3, 5, 31, 7), Box(0, 0, 50, 50), Box(20, 20, 1, 1)):
        assert (crop(photo, box, 24)["image"] == (10, 100, 250)).all()


def test_flip_mirrors_and_swaps_left_and_right():
    photo = {"image": np.arange(12, dtype=np.uint8).reshape(1, 4, 3), "labels": np.array([[4, 5, 6, 1]], np.uint8)}
    flipped = flip(photo, ((4, 5), (6, 7)))
    np.testing.assert_array_equal(flipped["image"], photo["image"][:, ::-1])
    np.testing.assert_array_equal(flipped["labels"], [[1, 7, 4, 5]])
    np.testing.assert_array_equal(flip(photo, ())["labels"], [[1, 6, 5, 4]])


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"flip": 1.5}, r"augmentation.flip must be from 0 to 1.*not 1\.5"),
        ({"flip": float("nan")}, "flip"),
        ({"scale": (0.9, 0.5)}, r"scale must be at least 2 numbers that do not fall, not \(0\.9, 0\.5\)"),
        ({"scale": (0.0, 0.5)}, "scale"),
        ({"scale": (0.5, 1.2)}, "scale"),
        ({"share": (0.5, 0.2)}, "share must be at least 2 numbers that do not fall"),
        *(({"share": share}, r"share\[\d\] must be from 0 to 1") for share in ((-0.1, 1), (0.5, 1.1))),
        ({"aspect": (2.0, 0.5)}, "aspect"),
        ({"aspect": (0.0, 1.0)}, "aspect"),
        ({"crop": "random_resize"}, "did you mean 'random_resized'"),
        ({"scales": (0.5, 1.0)}, "did you mean 'scale'"),
    ],
)
def test_bad_settings_are_one_clear_line(section, message):
    with pytest.raises(UserError, match=message):
        bind(section, AugmentationSettings, "config.augmentation")
