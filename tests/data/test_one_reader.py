"""The same file gives the same pixels to training, preparing and filling, however odd it is."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.data.files import file_at
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, opened, read_image, verify_image
from scan_jax.images.hole import binarise, read_grey, read_hole
from scan_jax.images.labels import read_file, read_labels
from scan_jax.images.pairs import list_images
from scan_jax.images.photograph import read_photograph, write_photograph
from scan_jax.masks.api import open_holes
from scan_jax.masks.inspection import inspect

HEIGHT, WIDTH = 20, 30


def colours(channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8)


def deep_grey():
    return Image.fromarray(np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), np.uint16))


def palette():
    return Image.fromarray(colours()).quantize(16)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif.tobytes()}


ODD = {
    "half_transparent.png": (Image.fromarray(colours(4)), {}),
    "grey_transparent.png": (Image.fromarray(colours(4)).convert("LA"), {}),
    "one_transparent_colour.png": (palette(), {"transparency": 3}),
    "palette.png": (palette(), {}),
    "palette.gif": (palette(), {}),
    "16_bits.png": (deep_grey(), {}),
    "16_bits.tif": (deep_grey(), {}),
    "ink.tif": (Image.fromarray(colours()).convert("CMYK"), {}),
    "ink.jpg": (Image.fromarray(colours()).convert("CMYK"), {}),
    "plain.jpg": (Image.fromarray(colours()), {}),
    "grey.jpg": (Image.fromarray(colours()).convert("L"), {}),
    "turned.jpg": (Image.fromarray(colours()), turned(6)),
    "turned.png": (Image.fromarray(colours(4)), turned(5)),
    "turned.webp": (Image.fromarray(colours()), turned(8)),
    "bits.png": (Image.fromarray(colours()[..., 0] > 127), {}),
}


# As holes, for brightness and transparency have different shapes.
TWO_READINGS = ("half_transparent.png", "grey_transparent.png", "one_transparent_colour.png", "turned.png")


@pytest.mark.parametrize("name", ODD)
def test_a_photograph_and_a_hole_have_the_same_pixels_for_all(name, tmp_path):
    image, options = ODD[name]
    image.save(tmp_path / name, **options)
    pixels = read_photograph(tmp_path / name).pixels
    np.testing.assert_array_equal(read_image(tmp_path / name), pixels)
    if name not in TWO_READINGS:
        np.testing.assert_array_equal(file_at(tmp_path / name, name).read_image(), pixels)
    else:
        for read in (file_at(tmp_path / name, name).read_image, file_at(tmp_path / name, name).verify):
            with pytest.raises(ValueError, match=r"% of its pixels are transparent, so that nobody knows"):
                read()
        for read, error in ((read_hole, UserError), (read_grey, DECODE_ERRORS)):
            with pytest.raises(error, match=r"its brightness marks .*% of it as white, its transparency .*% as opaque"):
                read(tmp_path / name)
        return
    hole = read_hole(tmp_path / name)
    assert hole.shape == pixels.shape[:2]
    np.testing.assert_array_equal(binarise(read_grey(tmp_path / name)), hole)


def test_transparency_is_seen_on_white_and_kept_in_the_file(tmp_path):
    stored = np.array([[(200, 0, 100, 255), (200, 0, 100, 51), (10, 20, 30, 0), (200, 0, 100, 51)]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "in.png")
    photograph = read_photograph(tmp_path / "in.png")
    expected = [[(200, 0, 100), (244, 204, 224), (255, 255, 255), (244, 204, 224)]]
    np.testing.assert_array_equal(photograph.pixels, expected)
    np.testing.assert_array_equal(read_photograph(stored).pixels, expected)
    hole = np.array([[False, False, False, True]])
    filled = np.where(hole[..., None], np.uint8(7), photograph.pixels)
    stored[0, 3] = (7, 7, 7, 255)  # what is painted is opaque
    for suffix in (".png", ".tif", ".webp"):
        write_photograph(tmp_path / f"out{suffix}", filled, photograph, hole)
        with Image.open(tmp_path / f"out{suffix}") as written:
            np.testing.assert_array_equal(np.asarray(written), stored)


# What a camera held so stores, as a function of what it saw.
STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.T,
    6: lambda seen: np.rot90(seen),
    7: lambda seen: seen[::-1, ::-1].T,
    8: lambda seen: np.rot90(seen, -1),
}


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_mask_is_turned_for_training_inspection_and_filling(suffix, orientation, tmp_path):
    white = np.zeros((40, 40), np.uint8)
    white[:8] = white[:16, :8] = 255
    stored = np.ascontiguousarray(STORED[orientation](white))
    for name in ("a", "b"):
        Image.fromarray(stored).save(tmp_path / f"{name}.{suffix}", **turned(orientation))
    np.testing.assert_array_equal(read_hole(tmp_path / f"a.{suffix}"), white > 127)
    held_out = open_holes({"name": "mask_folder", "path": str(tmp_path), "ratio": (0.0, 1.0)}).held_out
    np.testing.assert_array_equal(held_out.draw(np.random.default_rng(0), 40), white > 127)
    (first, second) = inspect(tmp_path, hole_color="white", photographs=None, sheet=None).files
    assert first.pixels == second.pixels and first.white == np.mean(white > 127)


def test_a_turned_label_map_is_turned_for_all(tmp_path):
    classes = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    Image.fromarray(classes).save(tmp_path / "labels.png", **turned(6))
    with Image.open(tmp_path / "labels.png") as image:
        for found in (read_file(tmp_path / "labels.png"), read_labels(tmp_path / "labels.png"), read_labels(image)):
            np.testing.assert_array_equal(found, np.rot90(classes, -1))


def test_every_value_of_16_bits_is_split_where_8_bits_are(tmp_path):
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(every).save(tmp_path / "hole.png")
    np.testing.assert_array_equal(read_hole(tmp_path / "hole.png"), every >= 32768)
    np.testing.assert_array_equal(read_grey(tmp_path / "hole.png"), np.round(every / 257.0))
    eight = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(read_hole(eight), eight > 127)
    np.testing.assert_array_equal(read_hole(eight / 255), eight > 127)
    assert not read_hole(np.full((1, 1), 0.5)).any()


def test_a_plain_jpeg_has_the_same_pixels_from_either_decoder(tmp_path, monkeypatch):
    smooth = cv2.GaussianBlur(colours(), (0, 0), 2)
    for quality, subsampling in ((30, 2), (95, 0)):
        Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
        by_opencv = read_image(tmp_path / "a.jpg")
        with monkeypatch.context() as without:
            without.setattr(cv2, "imdecode", lambda *_: None)
            np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), by_opencv)


def test_every_command_reads_the_same_kinds(tmp_path):
    for suffix in (*SUFFIXES, ".txt", ".npy"):
        (tmp_path / f"a{suffix}").write_bytes(b"")
    assert [name.removeprefix("a") for name in list_images(tmp_path)] == sorted(SUFFIXES)


@pytest.mark.parametrize("highest", [65535, 70000, 0.5])
def test_what_verification_lets_pass_is_read_later(highest, tmp_path):
    path = tmp_path / "a.tif"
    pixels = np.full((HEIGHT, WIDTH), highest, np.float32 if isinstance(highest, float) else np.int32)
    Image.fromarray(pixels).save(path)
    if highest == 65535:
        assert verify_image(path) == (HEIGHT, WIDTH) and (read_image(path) == 255).all()
        return
    for read in (verify_image, read_image):
        with pytest.raises(DECODE_ERRORS, match="of no known range; save it with 8"):
            read(path)


def test_a_pipe_is_read_as_a_file_is(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    reading, writing = os.pipe()
    os.write(writing, content)  # less than a pipe holds
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, opened(pipe) as image:
        assert image.size == (WIDTH, HEIGHT)
