"""Photographs to squares: the crop in the middle, or all of it, and what cannot be read."""

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.files import file_at
from scan_jax.data.preparation.squares import read_photograph, square_image, square_labels


@pytest.mark.parametrize(("shape", "top", "left"), [((20, 31), 0, 5), ((31, 20), 5, 0), ((20, 20), 0, 0)])
def test_the_crop_is_in_the_middle_or_shows_all(shape, top, left):
    image = miniatures.photograph(1, *shape)
    labels = image[..., 0].astype(np.int32)
    crop = np.s_[top : top + 20, left : left + 20]
    np.testing.assert_array_equal(square_image(image, 20, "centre"), image[crop])
    np.testing.assert_array_equal(square_labels(labels, 20, "centre"), labels[crop])
    places = [np.floor((np.arange(16) + 0.5) * side / 16).astype(int) for side in shape]
    np.testing.assert_array_equal(square_labels(labels, 16, "stretch"), labels[np.ix_(*places)])
    assert square_labels(labels, 16, "stretch").dtype == np.uint8
    expected = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(square_image(image, 16, "stretch"), expected)


@pytest.mark.parametrize("spoil", [miniatures.write_bomb, miniatures.truncate, miniatures.empty])
def test_what_cannot_be_read(spoil, tmp_path):
    path = miniatures.write(tmp_path / "a.png", miniatures.photograph(0))
    spoil(path)
    with pytest.raises((OSError, ValueError, Image.DecompressionBombError)):
        read_photograph(file_at(path, "a.png"))
    miniatures.write_bomb(path, 9000, 9001)  # Pillow itself lets 89 million pass; the limit here is 80
    with pytest.raises(ValueError, match="9000x9001 pixels are more than the 80 million"):
        read_photograph(file_at(path, "a.png"))
