"""The PNG files of frozen sets: the same bytes everywhere, read by everyone."""

import hashlib
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from scan_jax.masks.hole_image import binarise, read_grey
from scan_jax.masks.png import MOST_STORED, encode

# Hashes of the bytes that were once written: sets on users' disks have them.
GOLDEN = {
    (5, 13): "73f0a61076627b2d0bcdfb62cfd6f4edf115515e4b07fe1bed7f923b82abae7f",
    (64, 64): "7cf2492d9e6305f9173cef1bbe1c0acc8a3d5b3dfe5acf489af3ee2b0803ee9b",
    (800, 801): "e5c96f1579372b9bce9b44b958b177b1aabc643a797a89859cc54b49d15e454b",
}


def pattern(height, width):
    """Anything but regular, and free of random number generators."""
    y, x = np.mgrid[:height, :width]
    return (x * x + 3 * y * y + x * y) % 7 < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (8, 1), (31, 256), *GOLDEN])
def test_the_bytes_are_the_same_on_every_machine_and_all_read_the_same_hole(shape, tmp_path):
    hole, file = pattern(*shape), tmp_path / "hole.png"
    file.write_bytes(encode(hole))
    if shape in GOLDEN:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == GOLDEN[shape]
    with Image.open(file) as image:
        image.verify()
    with Image.open(file) as image:
        assert image.size == shape[::-1]
        np.testing.assert_array_equal(np.asarray(image.convert("L")), 255 * hole)
    np.testing.assert_array_equal(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), 255 * hole)
    np.testing.assert_array_equal(cv2.imread(str(file))[..., 2], 255 * hole)
    np.testing.assert_array_equal(binarise(read_grey(file)), hole)


def test_the_data_is_a_zlib_stream_of_more_than_one_block():
    hole = pattern(800, 801)
    file = encode(hole)
    start = file.index(b"IDAT") + 4
    length = int.from_bytes(file[start - 8 : start - 4], "big")
    scanlines = np.frombuffer(zlib.decompress(file[start : start + length]), np.uint8).reshape(800, 1 + 101)
    assert scanlines.size > MOST_STORED
    assert (scanlines[:, 0] == 0).all()
    np.testing.assert_array_equal(np.unpackbits(scanlines[:, 1:], axis=1)[:, :801], hole)


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((0, 4), bool), np.zeros((1, 4, 4), bool)])
def test_what_is_no_hole_is_refused(array):
    with pytest.raises(ValueError, match="bool"):
        encode(array)
