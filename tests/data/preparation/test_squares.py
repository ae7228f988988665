"""Photographs to squares: areas against block means, labels by nearest neighbour, the crop in the middle."""

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.files import file_at
from scan_jax.data.preparation.squares import read_photograph, square_image, square_labels


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_whole_factors_are_block_means(factor):
    image = np.random.default_rng(factor).integers(0, 256, (16 * factor, 16 * factor, 3), np.uint8)
    means = image.reshape(16, factor, 16, factor, 3).astype(np.float64).mean((1, 3))  # [16,16,3]
    assert np.abs(square_image(image, 16, "centre") - means).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("size", [15, 16, 23])
def test_other_factors_weigh_pixels_by_their_area(size):
    """Each new pixel is the mean over its area of the photograph, pixels cut by its border by their share."""
    image = np.random.default_rng(size).integers(0, 256, (37, 37, 3), np.uint8)
    edges = np.arange(size + 1) * 37 / size  # float64
    pixels = np.arange(37)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)  # [S,37]
    weights = overlap.clip(0) * size / 37
    expected = np.einsum("ih,jw,hwc->ijc", weights, weights, image.astype(np.float64))
    assert np.abs(square_image(image, size, "centre") - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(("shape", "top", "left"), [((20, 31), 0, 5), ((31, 20), 5, 0), ((20, 20), 0, 0)])
def test_the_crop_is_in_the_middle(shape, top, left):
    image = miniatures.photograph(1, *shape)
    labels = image[..., 0]
    np.testing.assert_array_equal(square_image(image, 20, "centre"), image[top : top + 20, left : left + 20])
    np.testing.assert_array_equal(square_labels(labels, 20, "centre"), labels[top : top + 20, left : left + 20])


def test_stretching_shows_all():
    image = miniatures.photograph(1, 20, 31)
    expected = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(square_image(image, 16, "stretch"), expected)


def test_labels_are_the_nearest_of_each_centre():
    labels = np.random.default_rng(0).integers(0, 256, (37, 37), np.int32)
    for size in (16, 37, 90):
        places = np.floor((np.arange(size) + 0.5) * 37 / size).astype(int)
        found = square_labels(labels, size, "centre")
        np.testing.assert_array_equal(found, labels[np.ix_(places, places)])
        assert found.dtype == np.uint8


def test_a_photograph_is_turned_upright(tmp_path):
    image = miniatures.photograph(0, 20, 30)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photograph(file_at(tmp_path / "a.png", "a")), np.rot90(image, -1))


@pytest.mark.parametrize("spoil", [miniatures.write_bomb, miniatures.truncate, lambda path: path.write_bytes(b"")])
def test_what_cannot_be_read(spoil, tmp_path):
    path = miniatures.write(tmp_path / "a.png", miniatures.photograph(0))
    spoil(path)
    with pytest.raises((OSError, ValueError, Image.DecompressionBombError)):
        read_photograph(file_at(path, "a.png"))


def test_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    """Pillow itself lets 89 million pass; the limit here is 80."""
    path = miniatures.write_bomb(tmp_path / "a.png", 9000, 9001)
    with pytest.raises(ValueError, match="9000x9001 pixels are more than the 80 million"):
        read_photograph(file_at(path, "a.png"))
