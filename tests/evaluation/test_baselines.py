"""What stands beside a trained network."""

import cv2
import numpy as np
import pytest
from skimage.restoration import inpaint_biharmonic

from scan_jax.errors import UserError
from scan_jax.evaluation.baselines import BASELINES, biharmonic, class_mean, find_baseline, mean, navier_stokes, telea

OF_PIXELS = (navier_stokes, telea, biharmonic, mean)  # which need no labels


def scene(height=31, width=45):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)  # [H,W,3]
    hole = np.zeros((height, width), bool)
    hole[8:20, 10:31] = True
    return image, hole


def test_opencv_and_scikit_image_fill_as_they_do_alone():
    image, hole = scene()
    blank = np.where(hole[..., None], np.uint8(0), image)
    spread = inpaint_biharmonic(blank / 255, hole, channel_axis=-1)
    for fill, expected, error in (
        (navier_stokes, cv2.inpaint(blank, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_NS), 12),
        (telea, cv2.inpaint(blank, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA), 12),
        (biharmonic, np.round(255 * np.clip(spread, 0, 1)), 2),  # a plane solves the equation, but for its rounding
        (mean, np.broadcast_to(np.round(image[~hole].mean(0)), image.shape), np.inf),
    ):
        found = fill(image, hole)
        np.testing.assert_array_equal(found[hole], expected[hole])
        np.testing.assert_array_equal(found[~hole], image[~hole])
        assert np.abs(found.astype(int) - image)[hole].mean() < error


@pytest.mark.parametrize("fill", OF_PIXELS)
def test_does_not_read_the_hole_and_answers_at_both_ends(fill):
    image, hole = scene()
    other = image.copy()
    other[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    np.testing.assert_array_equal(fill(image, hole), fill(other, hole))
    np.testing.assert_array_equal(fill(image, np.zeros_like(hole)), image)
    np.testing.assert_array_equal(fill(image, np.ones_like(hole)), np.full_like(image, 128))
    for wrong in ((image, hole[:-1]), (image, hole.astype(np.uint8)), (image / 255.0, hole)):
        with pytest.raises(ValueError, match="are needed"):
            fill(*wrong)


def test_all_are_known_by_their_keys():
    image, hole = scene()
    labels = np.zeros(hole.shape, np.int32)
    assert list(BASELINES) == ["navier_stokes", "telea", "biharmonic", "mean", "class_mean"]
    for key, fill in zip(BASELINES, OF_PIXELS):
        np.testing.assert_array_equal(BASELINES[key].fill(image, hole, None), fill(image, hole))
    np.testing.assert_array_equal(BASELINES["class_mean"].fill(image, hole, labels), mean(image, hole))
    assert find_baseline("class_mean", labels) is BASELINES["class_mean"]
    with pytest.raises(UserError, match="class_mean needs photographs with label maps"):
        find_baseline("class_mean", None)
    with pytest.raises(UserError, match="did you mean 'telea'"):
        find_baseline("telia", None)


def labelled_scene():
    """Four classes: 0 and 1 partly in the hole, 2 in the hole alone, 3 absent, 4 outside the hole."""
    image = np.random.default_rng(4).integers(0, 256, (31, 45, 3), np.uint8)
    _, hole = scene()
    labels = np.zeros((31, 45), np.uint8)
    labels[:, 20:] = 1
    labels[10:14, 12:18] = 2
    labels[25:] = 4
    return image, hole, labels


def test_class_mean_fills_each_class_by_itself_does_not_read_the_hole_and_answers_at_both_ends():
    image, hole, labels = labelled_scene()
    filled = class_mean(image, hole, labels)
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    for label in (0, 1):
        expected = image[(labels == label) & ~hole].astype(np.float64).mean(0)
        assert np.abs(filled[(labels == label) & hole] - expected).max() <= 0.5
    everywhere = image[~hole].astype(np.float64).mean(0)  # class 2 has no known pixel
    assert np.abs(filled[labels == 2] - everywhere).max() <= 0.5
    image, hole, labels = labelled_scene()
    other = np.where(hole[..., None], 255 - image, image)
    np.testing.assert_array_equal(class_mean(image, hole, labels), class_mean(other, hole, labels.astype(np.int32)))
    np.testing.assert_array_equal(class_mean(image, np.zeros_like(hole), labels), image)
    assert (class_mean(image, np.ones_like(hole), labels) == 128).all()
    for arguments in ((image, hole[:-1], labels), (image, hole, labels[:-1]), (image, hole, labels / 1.0)):
        with pytest.raises(ValueError, match="are needed"):
            class_mean(*arguments)
