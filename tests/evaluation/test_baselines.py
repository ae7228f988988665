"""What stands beside a trained network."""

import cv2
import numpy as np
import pytest

from scan_jax.evaluation.baselines import navier_stokes


def scene(height=31, width=45):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)  # [H,W,3]
    hole = np.zeros((height, width), bool)
    hole[8:20, 10:31] = True
    return image, hole


def test_continues_a_ramp_and_keeps_known_pixels():
    image, hole = scene()
    filled = navier_stokes(image, hole)
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert np.abs(filled.astype(int) - image)[hole].mean() < 12
    blank = np.where(hole[..., None], np.uint8(0), image)
    np.testing.assert_array_equal(filled, cv2.inpaint(blank, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_NS))


def test_does_not_read_the_hole():
    image, hole = scene()
    other = image.copy()
    other[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    np.testing.assert_array_equal(navier_stokes(image, hole), navier_stokes(other, hole))


def test_all_known_and_all_hole():
    image, hole = scene()
    np.testing.assert_array_equal(navier_stokes(image, np.zeros_like(hole)), image)
    np.testing.assert_array_equal(navier_stokes(image, np.ones_like(hole)), np.full_like(image, 128))


def test_refuses_other_types_and_sizes():
    image, hole = scene()
    for wrong in (hole[:-1], hole.astype(np.uint8)):
        with pytest.raises(ValueError, match="are needed"):
            navier_stokes(image, wrong)
    with pytest.raises(ValueError, match="are needed"):
        navier_stokes(image / 255.0, hole)
