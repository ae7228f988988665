"""Photographs to squares: areas against block means, labels by nearest neighbour, the crop in the middle."""

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.files import file_at
from scan_jax.data.preparation.squares import read_photograph, square_image, square_labels


@pytest.mark.parametrize(("side", "size"), [(32, 16), (48, 16), (64, 16), (37, 15), (37, 16), (37, 23)])
def test_new_pixels_are_means_over_their_area(side, size):
    """Pixels of the photograph that a new one's border cuts count by their share."""
    image = np.random.default_rng(size).integers(0, 256, (side, side, 3), np.uint8)
    edges = np.arange(size + 1) * side / size  # float64
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)  # [S,side]
    weights = overlap.clip(0) * size / side
    expected = np.einsum("ih,jw,hwc->ijc", weights, weights, image.astype(np.float64))
    assert np.abs(square_image(image, size, "centre") - expected).max() <= 0.5 + (1e-9 if side % size == 0 else 1e-3)


@pytest.mark.parametrize(("shape", "top", "left"), [((20, 31), 0, 5), ((31, 20), 5, 0), ((20, 20), 0, 0)])
def test_the_crop_is_in_the_middle_or_shows_all(shape, top, left):
    image = miniatures.photograph(1, *shape)
    labels = image[..., 0]
    np.testing.assert_array_equal(square_image(image, 20, "centre"), image[top : top + 20, left : left + 20])
    np.testing.assert_array_equal(square_labels(labels, 20, "centre"), labels[top : top + 20, left : left + 20])
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


@pytest.mark.parametrize("spoil", [miniatures.write_bomb, miniatures.truncate, miniatures.empty])
def test_what_cannot_be_read(spoil, tmp_path):
    path = miniatures.write(tmp_path / "a.png", miniatures.photograph(0))
    spoil(path)
    with pytest.raises((OSError, ValueError, Image.DecompressionBombError)):
        read_photograph(file_at(path, "a.png"))
    miniatures.write_bomb(path, 9000, 9001)  # Pillow itself lets 89 million pass; the limit here is 80
    with pytest.raises(ValueError, match="9000x9001 pixels are more than the 80 million"):
        read_photograph(file_at(path, "a.png"))
