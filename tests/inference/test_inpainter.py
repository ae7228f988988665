"""Filling: known pixels stay byte for byte at any size, and nothing of the hole is read."""

import functools
import logging
import re

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.core.types import Prediction
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions
from scan_jax.methods.api import Variables

STRIDE, SIZE = 8, 24


class Toy:
    """Predicts a colour that depends on every visible pixel, and black for those; notes the shapes it gets."""

    stride, num_labels = STRIDE, 0
    refiners, maps, styles = {}, {}, None

    def __init__(self):
        self.shapes = []

    def predict(self, variables, observation, rng):
        del rng
        self.shapes.append(observation.image.shape)
        assert observation.image.shape[1] % STRIDE == observation.image.shape[2] % STRIDE == 0
        mean = observation.image.mean((1, 2), keepdims=True) / observation.known.mean()  # [B,1,1,3]
        return Prediction((1 - observation.known) * (mean * variables.params["generator"]["gain"]))


class Labelled(Toy):
    """Predicts a tenth of the label."""

    num_labels = 6

    def predict(self, variables, observation, rng):
        self.shapes.append(observation.labels.shape)
        labels = observation.labels[..., None].astype(jnp.float32) / 10  # [B,H,W,1]
        return Prediction(jnp.broadcast_to(labels, observation.image.shape))


class Constant(Toy):
    def predict(self, variables, observation, rng):
        return Prediction(jnp.full_like(observation.image, 0.2))


def make(method):
    return Inpainter(method, Variables({"generator": {"gain": np.float32(1)}}, {}), size=SIZE)


@functools.cache
def shared(kind=Toy):
    """One for all tests, which compiles each shape once."""
    return make(kind())


def photo_and_hole(height, width, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8), rng.random((height, width)) < share


@pytest.mark.parametrize("seed", range(16))
def test_known_pixels_and_size_stay_at_any_size_and_the_hole_is_not_read(seed):
    height, width = np.exp(np.random.default_rng(100 + seed).uniform(np.log(5), np.log(900), 2)).astype(int)
    image, hole = photo_and_hole(height, width, seed)
    fill = functools.partial(shared(), blend="none" if seed % 4 else "auto")
    filled = fill(image, hole)
    assert filled.shape == image.shape and filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert np.any(filled[hole] != image[hole])
    np.testing.assert_array_equal(fill(np.where(hole[..., None], 255 - image, image), hole), filled)


def test_a_flat_photograph_is_filled_with_its_colour_without_a_seam_also_in_a_thin_hole():
    for size in ((20, 31), (120, 90)):  # at its own size, and shrunken
        image = np.full((*size, 3), (40, 120, 200), np.uint8)
        hole = np.zeros(size, bool)
        hole[5:-7, 6:-3] = True
        image[hole] = 255
        assert np.abs(shared()(image, hole, blend="none").astype(int) - (40, 120, 200)).max() <= 2
        assert np.abs(shared(Constant)(image, hole).astype(int) - (40, 120, 200)).max() <= 1  # met by default
        assert (shared(Constant)(image, hole, blend="none")[10, 15] == 51).all()  # left as it was
    image, hole = np.full((150, 130, 3), 90, np.uint8), np.zeros((150, 130), bool)
    hole[70], image[70] = True, 255
    assert np.abs(shared()(image, hole, blend="none")[70].astype(int) - 90).max() <= 1


def test_sizes_share_compilations_the_short_side_is_the_trained_one_and_many_shapes_are_spoken_of_once(caplog):
    toy = Toy()
    inpainter = make(toy)
    for size in [(20, 30), (25, 31), (30, 24), (17, 9)]:
        inpainter(*photo_and_hole(*size), blend="none")
    assert toy.shapes == [(1, 32, 32, 3)]  # traced once for all of them
    inpainter(*photo_and_hole(2 * SIZE, 5 * SIZE), blend="none")
    assert toy.shapes[-1] == (1, 32, 64, 3)  # 24x60 before padding
    inpainter = make(Toy())
    for width in range(32, 1100, 16):  # buckets: 8 of 32 pixels, 4 of 64, 4 of 128, ...
        inpainter(*photo_and_hole(SIZE, width), blend="none")
        assert len(caplog.records) == (width > 896)


def photo_hole_and_labels():
    labels = np.zeros((SIZE, 40), np.int64)
    labels[:, 20:] = 5
    return *photo_and_hole(SIZE, 40), labels


def test_same_input_same_output_and_labels_arrive(tmp_path):
    image, hole, labels = photo_hole_and_labels()
    toy = Labelled()
    inpainter = make(toy)
    filled = inpainter(image, hole, labels, blend="none")
    assert inpainter.num_labels == 6 and toy.shapes == [(1, 32, 64)]
    assert np.all(filled[:, :20][hole[:, :20]] == 0) and np.all(filled[:, 20:][hole[:, 20:]] == 128)
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.save(tmp_path / "labels.png")
    for given in (labels, tmp_path / "labels.png", str(tmp_path / "labels.png"), picture, labels[..., None]):
        np.testing.assert_array_equal(inpainter(image, hole, given, blend="none"), filled)


def test_no_hole_and_all_hole_are_answered_with_a_warning(caplog):
    image, hole = photo_and_hole(16, 20)
    np.testing.assert_array_equal(shared()(image, np.zeros_like(hole)), image)
    assert "no hole" in caplog.text
    assert np.all(shared(Constant)(image, np.ones_like(hole)) == 51) and "whole photograph" in caplog.text
    shared()(image, np.random.default_rng(0).random(hole.shape) < 0.8)
    assert "white is the hole" in caplog.text
    caplog.clear()
    make(Toy())(image, hole)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_paths_pillow_images_and_arrays_are_one(tmp_path):
    image, hole = photo_and_hole(21, 34)
    Image.fromarray(image).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "hole.png")
    expected = shared()(image, hole)
    for picture in (tmp_path / "photo.png", str(tmp_path / "photo.png"), Image.fromarray(image), image / 255.0):
        for where in (tmp_path / "hole.png", Image.fromarray(hole), hole.astype(np.uint8), hole * 255, hole[..., None]):
            np.testing.assert_array_equal(shared()(picture, where), expected)


def test_arrays_of_other_libraries_and_nested_lists_are_taken_and_anything_else_is_one_line():
    pixels, hole = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8), np.zeros((9, 12), bool)
    hole[3:6, 4:8] = True
    fill = Inpainter.load("telea")
    expected = fill(pixels, hole)
    others = ((pixels.tolist(), hole.tolist()), (jnp.asarray(pixels), jnp.asarray(hole)), (pixels.astype(int), hole))
    for given in others:
        np.testing.assert_array_equal(fill(*given), expected)
    not_a_number = np.where(hole[..., None], np.nan, pixels / 255)
    for wrong, message in (
        (b"bytes", "the photograph is a path, a Pillow image or an array, not bytes"),
        (None, "not NoneType"),
        ([[1], [1, 2]], "not list"),
        (not_a_number, "floating point in [0, 1]; this one is float64 from nan to nan"),
        (
            pixels.astype(np.int16) - 300,
            f"this one is int16 from {int(pixels.min()) - 300} to {int(pixels.max()) - 300}",
        ),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            fill(wrong, hole)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        *(
            ({"seed": seed}, "--seed is a whole number from 0 to 4,294,967,295, not ")
            for seed in (1.5, None, -1, 2**32)
        ),
        ({"seed": True}, "not True"),
        ({"grow": 1.5}, "--grow is a whole number from 0 on, not 1.5"),
        ({"grow": "3"}, "not '3'"),
        ({"steps": -1}, "--steps is a whole number from 0 on, not -1"),
        ({"batch_size": 2.0}, "--batch_size is a whole number from 1 on, not 2.0"),
        ({"texture": "yes"}, "--texture is True or False, not 'yes'"),
        ({"grain": None}, "--grain is True or False, not None"),
    ],
)
def test_options_that_make_no_sense_are_one_line(option, message):
    with pytest.raises(UserError, match=re.escape(message)):
        FillOptions(**option)


def test_options_take_numbers_of_numpy():
    assert FillOptions(seed=np.uint32(2**32 - 1), grow=np.int64(2), texture=np.True_).seed == 2**32 - 1


def test_labels_are_nearest_resized_with_the_photograph():
    """At three times the working size, each label stays what it was: nothing between 0 and 5 appears."""
    image, hole = photo_and_hole(3 * SIZE, 120, share=0)
    hole[9:-9, 9:-9] = True
    labels = np.zeros((3 * SIZE, 120), np.uint8)
    labels[:, 60:] = 5
    filled = shared(Labelled)(image, hole, labels, blend="none")
    assert np.all(filled[21:-21, 21:54] == 0) and np.all(np.abs(filled[21:-21, 66:-21] - 127.5) < 1)


def test_other_sizes_and_labels_that_are_missing_or_too_high_are_refused(tmp_path):
    image, hole, labels = photo_hole_and_labels()
    Image.fromarray((labels + 1).astype(np.uint8)).save(tmp_path / "labels.png")
    for kind, given, message in (
        (Toy, (hole[:-1],), r"40x24.*40x23"),
        (Labelled, (hole, labels[:16]), r"40x24.*label map 40x16.*--resize_labels"),
        (Labelled, (hole,), r"needs a label map of 6 classes; give --labels="),
        (Labelled, (hole, tmp_path / "labels.png"), r"labels\.png has the label 6, but 6 classes are numbered 0 to 5"),
    ):
        with pytest.raises(UserError, match=message):
            shared(kind)(image, *given)


def test_labels_for_a_method_that_takes_none_are_a_warning(caplog):
    image, hole, labels = photo_hole_and_labels()
    np.testing.assert_array_equal(shared()(image, hole, labels), shared()(image, hole))
    assert caplog.text.count("takes no labels") == 1
