"""Colours of classes."""

import numpy as np
import pytest

from scan_jax.palette import paint, palette


@pytest.mark.parametrize("count", [1, 2, 12, 18, 19, 20, 151, 256, 4000])
def test_no_two_classes_share_a_colour(count):
    colours = palette(count)
    assert (colours.shape, colours.dtype) == ((count, 3), np.uint8)
    assert len(np.unique(colours, axis=0)) == count
    assert (colours[0] == 0).all()


def test_known_colours():
    """PASCAL VOC's first classes as its devkit prints them; CelebAMask-HQ's skin, hair and cloth."""
    expected = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
    expected += [(128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0)]
    np.testing.assert_array_equal(palette(12), expected)
    np.testing.assert_array_equal(palette(21)[20], (0, 64, 128))
    np.testing.assert_array_equal(palette(19)[[1, 13, 18]], [(204, 0, 0), (0, 0, 204), (0, 204, 0)])


def test_paint_colours_each_pixel_by_its_class():
    labels = np.random.default_rng(0).integers(0, 19, (2, 5, 7))
    painted = paint(labels, 19)
    assert painted.shape == (2, 5, 7, 3)
    for index, label in np.ndenumerate(labels):
        np.testing.assert_array_equal(painted[index], palette(19)[label])


def test_refuses_what_has_no_colour():
    for labels in (np.array([12]), np.array([-1]), np.array([0.5])):
        with pytest.raises(ValueError, match="labels must be integers from 0 to 11"):
            paint(labels, 12)
    for count in (0, -3, 2**24 + 1):
        with pytest.raises(ValueError, match="num_labels"):
            palette(count)
