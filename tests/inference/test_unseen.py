"""Transparent pixels outside the hole are neither looked at nor filled, whoever fills."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.core.types import Prediction
from scan_jax.images.photograph import Photograph, read_photograph, write_photograph
from scan_jax.inference.grain import add_grain
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions, Request
from scan_jax.inference.tiling import NetworkInput
from scan_jax.inference.ways import WAYS
from scan_jax.methods.api import Variables

SHAPE = (40, 48)
HOLE, STRIP = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
HOLE[12:24, 10:20] = True
STRIP[8:30, 20:28] = True  # beside it


def rgba(beneath):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.stack([3 * rows, 2 * columns, rows + columns, np.full(SHAPE, 255)], -1).astype(np.uint8)
    pixels[STRIP] = (beneath, beneath, beneath, 0)
    return pixels


def filled(inpainter, beneath, **changes):
    """What comes of one photograph whose transparent pixels are not white but `beneath` when they are decoded."""
    request = Request.open(rgba(beneath), HOLE)
    pixels = np.where(STRIP[..., None], np.uint8(beneath), request.photograph.pixels)
    request = dataclasses.replace(request, photograph=dataclasses.replace(request.photograph, pixels=pixels))
    options = FillOptions(**changes)
    (found,) = inpainter.fill([inpainter.plan(request, options)], options)
    np.testing.assert_array_equal(found[~HOLE], pixels[~HOLE])
    return found[HOLE]


class Sees:
    """A network that paints the mean of what it sees, for which an unseen pixel must be zero and not known."""

    stride, num_labels = 4, 0
    refiners, maps, styles = {}, {}, None

    def init(self, rng, example):
        return Variables({}, {})

    def predict(self, variables, observation, rng):
        total = jnp.sum(observation.image, axis=(1, 2), keepdims=True)
        mean = total / jnp.maximum(jnp.sum(observation.known, axis=(1, 2), keepdims=True), 1)
        return Prediction(jnp.broadcast_to(mean, observation.image.shape))


@pytest.mark.parametrize("name", ["navier_stokes", "telea", "biharmonic"])
def test_what_needs_no_training_does_not_look(name):
    one, other = (filled(Inpainter.load(name), beneath) for beneath in (0, 255))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one.astype(int) - rgba(0)[HOLE][:, :3]).max() < 40  # a slope goes on


@pytest.mark.parametrize("changes", [{}, {"blend": "none", "grain": True}, {"strategy": "whole", "texture": True}])
def test_a_network_its_border_texture_and_grain_do_not_look(changes):
    network = Inpainter(Sees(), Variables({}, {}), size=32)
    np.testing.assert_array_equal(filled(network, 0, **changes), filled(network, 255, **changes))


def test_a_hole_amid_transparent_pixels_is_left_to_the_network():
    alpha = np.full(SHAPE, 255, np.uint8)
    alpha[5:20, 5:20] = 0
    hole = np.zeros(SHAPE, bool)
    hole[8:12, 8:12] = hole[21:24, 5:20] = True  # the first touches nothing known
    pixels = np.dstack([np.full((*SHAPE, 3), 200, np.uint8), alpha])
    found = Inpainter(Sees(), Variables({}, {}), size=32)(pixels, hole)
    assert np.isfinite(found.astype(float)).all() and (np.abs(found[hole].astype(int) - 200) <= 1).all()


def test_the_observation_has_nothing_of_it_and_the_file_all():
    request = Request.open(rgba(9), HOLE)
    np.testing.assert_array_equal(request.unseen, STRIP)
    np.testing.assert_array_equal(request.known, ~(HOLE | STRIP))
    seen = NetworkInput.of(request.photograph.pixels, request.known, None, 64, 4)
    assert not seen.image[STRIP].any() and not seen.known[STRIP].any()
    assert Request.open(rgba(9)[..., :3], HOLE).unseen is None
    assert Request.open(rgba(9), HOLE | STRIP).unseen is None, "what is hole is filled"


def test_where_nothing_can_be_seen_it_is_said(caplog):
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    assert (Inpainter.load("telea")(pixels, HOLE)[HOLE] == 128).all()
    assert "all that is not hole is transparent: everything in the answer is invented" in caplog.text


def test_16_bits_of_alpha_are_transparent_where_8_are():
    alpha = np.array([[0, 128, 129, 65535]], np.uint16)
    photograph = Photograph(np.zeros((1, 4, 3), np.uint8), np.repeat(alpha[..., None], 4, axis=2))
    np.testing.assert_array_equal(photograph.visible, [[False, False, True, True]])


def test_the_file_keeps_what_is_beneath(tmp_path):
    photograph = read_photograph(rgba(9))
    write_photograph(tmp_path / "out.png", np.where(HOLE[..., None], np.uint8(7), photograph.pixels), photograph, HOLE)
    again = read_photograph(tmp_path / "out.png").samples
    np.testing.assert_array_equal(again[~HOLE], rgba(9)[~HOLE])
    assert (again[HOLE] == (7, 7, 7, 255)).all()


def test_windows_without_a_hole_are_not_solved():
    hole, far = np.zeros((32, 96), bool), np.zeros((32, 96), bool)
    hole[2, 2] = far[-1, -1] = True
    assert WAYS["harmonic"].look(np.zeros((32, 96, 3), np.uint8), hole, far).strategy == "1 window of 32 pixels"


def test_grain_is_not_read_from_it():
    rng = np.random.default_rng(0)
    noisy = np.clip(128 + rng.normal(0, 6, (120, 120, 3)), 0, 255).astype(np.uint8)
    hole, unseen = np.zeros((120, 120), bool), np.zeros((120, 120), bool)
    hole[40:80, 40:80], unseen[:, 86:] = True, True
    smooth = np.where(hole[..., None], np.uint8(128), noisy)
    one, other = (
        add_grain(np.where(unseen[..., None], np.uint8(level), smooth), hole, 0, unseen)[hole] for level in (120, 136)
    )
    assert one.std() > 4 and np.abs(one.astype(int) - other).max() <= 1
