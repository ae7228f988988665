"""Holes, of which white is the hole, split at 0.5; and label maps, from whatever a caller has."""

import itertools

import cv2
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.hole import grow_hole, read_grey, read_hole
from scan_jax.images.labels import read_labels


def test_white_is_the_hole_and_mid_grey_the_border(tmp_path):
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    expected = [[False, False, True, True]]
    Image.fromarray(grey).save(tmp_path / "hole.png")
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    for source in (tmp_path / "hole.png", Image.fromarray(grey), deep, grey, grey.astype(np.int64), grey / 255.0):
        np.testing.assert_array_equal(read_hole(source), expected)
        np.testing.assert_array_equal(read_hole(source, "black"), ~np.array(expected))


def test_every_type_and_files_of_every_mode(tmp_path):
    hole = np.random.default_rng(0).random((6, 9)) < 0.5
    for dtype in (bool, np.uint8, np.int32, np.float32, np.float64):
        np.testing.assert_array_equal(read_hole(hole.astype(dtype)), hole)
        np.testing.assert_array_equal(read_hole(hole.astype(dtype), "black"), ~hole)
        np.testing.assert_array_equal(read_hole(hole.astype(dtype)[..., None]), hole)
    base = Image.fromarray(hole.astype(np.uint8) * 255)
    images = {mode: base.convert(mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA")}
    images["16 bits"] = Image.fromarray(hole.astype(np.uint16) * 65535)
    for mode, image in images.items():
        image.save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(read_hole(tmp_path / f"{mode}.png"), hole)


def test_a_hole_is_turned_upright_like_its_photograph(tmp_path):
    hole = np.zeros((4, 6), bool)
    hole[0, 1] = True
    image = Image.fromarray(hole.astype(np.uint8) * 255)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_hole(tmp_path / "turned.png"), np.rot90(hole, -1))


def test_soft_edges_are_said(caplog):
    read_hole(np.array([[0, 255]] * 50, np.uint8))
    assert caplog.text == ""
    read_hole(np.linspace(0, 1, 100).reshape(10, 10))
    assert "neither black nor white" in caplog.text


def test_what_is_no_hole():
    for wrong in (
        np.zeros((4, 4, 5)),
        np.zeros((1, 4, 4, 1)),
        np.zeros(4),
        np.array([["a"]]),
        np.zeros((2, 2), complex),
    ):
        with pytest.raises(UserError, match="a hole is a bool or number array"):
            read_hole(wrong)
    for wrong in (np.full((2, 2), 2.0), np.full((2, 2), -1), np.full((2, 2), 300), np.full((2, 2), np.nan)):
        with pytest.raises(
            UserError, match=r"a hole's values must tell black from white: its (darkest|brightest) value"
        ):
            read_hole(wrong)


HOLE = np.array([[False, True, True, False], [False, False, True, False]])


@pytest.mark.parametrize(
    ("dtype", "white"), [(bool, 1), (np.uint8, 1), (np.uint8, 255), (np.uint16, 65535), (float, 1)]
)
def test_arrays_with_channels_are_read_as_files_with_channels(tmp_path, dtype, white):
    values, opaque = (HOLE * white).astype(dtype), np.full(HOLE.shape, white, dtype)
    clear = np.zeros_like(opaque)
    for channels in ([values] * 3, [values] * 3 + [opaque], [values, opaque], [clear] * 3 + [values], [opaque, values]):
        np.testing.assert_array_equal(read_hole(np.stack(channels, axis=-1)), HOLE)
        if dtype == np.uint8 and white == 255:
            Image.fromarray(np.stack(channels, axis=-1)).save(tmp_path / "hole.png")
            np.testing.assert_array_equal(read_hole(tmp_path / "hole.png"), HOLE)
    other = opaque.copy()
    other[:, 0] = 0
    with pytest.raises(
        UserError, match=r"its brightness marks 37\.5% of it as white, its transparency 75\.0% as opaque"
    ):
        read_hole(np.stack([values] * 3 + [other], axis=-1))


def test_deep_colours_of_which_pillow_sees_nothing_are_refused(tmp_path):
    colours = np.repeat(HOLE[..., None], 3, axis=2).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "white.png"), colours * 65535)
    np.testing.assert_array_equal(read_hole(tmp_path / "white.png"), HOLE)
    for suffix in ("png", "tif"):
        cv2.imwrite(str(tmp_path / f"dark.{suffix}"), colours * 255)
        with pytest.raises(UserError, match="its 16-bit colours are all below 256: save it in black and white"):
            read_hole(tmp_path / f"dark.{suffix}")
        with pytest.raises(ValueError, match="all below 256"):
            read_grey(tmp_path / f"dark.{suffix}")


@pytest.mark.parametrize(
    ("dtype", "white"),
    [(np.uint8, 1), (np.uint8, 255), *itertools.product((np.uint16, np.int32, np.float32), (1, 255, 65535))],
)
def test_the_brightest_value_tells_the_scale_of_files_and_arrays(tmp_path, dtype, white):
    values, path = (HOLE * white).astype(dtype), tmp_path / "hole.tif"
    Image.fromarray(values).save(path)
    for found in (read_hole(values), read_hole(path), ~read_hole(path, "black"), read_hole(Image.fromarray(values))):
        np.testing.assert_array_equal(found, HOLE)
    np.testing.assert_array_equal(read_grey(path), HOLE * 255)  # so training has the same
    assert not read_hole(np.zeros_like(values)).any()


def test_a_colour_mask_of_zeros_and_ones(tmp_path):
    Image.fromarray(np.repeat(HOLE[..., None], 3, axis=2).astype(np.uint8)).save(tmp_path / "hole.png")
    np.testing.assert_array_equal(read_hole(tmp_path / "hole.png"), HOLE)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 100), (np.uint16, 4095), (np.int32, 70000), (np.float32, 2)])
def test_what_is_dark_everywhere_is_refused_with_its_brightest_value(tmp_path, dtype, white):
    values, path = (HOLE * white).astype(dtype), tmp_path / "hole.tif"
    Image.fromarray(values).save(path)
    for source in (values, path):
        with pytest.raises(UserError, match=rf"its brightest value is {white}(\.0)?, but white is 1, or above half of"):
            read_hole(source)


def drawn(inside, outside):
    """RGBA pixels [2,4,4] of one colour in the hole and another beside it."""
    return np.where(HOLE[..., None], np.uint8(inside), np.uint8(outside))


SHAPES = {
    "black, opaque": drawn((0, 0, 0, 255), (0, 0, 0, 0)),
    "red, opaque": drawn((255, 0, 0, 255), (0, 0, 0, 0)),
    "red over anything": drawn((255, 0, 0, 255), (9, 200, 90, 0)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_that_is_in_alpha_alone_is_the_hole_and_said(tmp_path, caplog, name):
    Image.fromarray(SHAPES[name]).save(tmp_path / "hole.png")
    np.testing.assert_array_equal(read_hole(tmp_path / "hole.png"), HOLE)
    assert "the hole's shape is in its transparency: what is opaque, 37.5% of it, counts as white" in caplog.text
    np.testing.assert_array_equal(read_hole(tmp_path / "hole.png", "black"), ~HOLE)
    np.testing.assert_array_equal(read_grey(tmp_path / "hole.png"), HOLE * 255)


def test_alpha_that_says_nothing_else_is_not_spoken_of(tmp_path, caplog):
    for pixels in (
        drawn((255, 255, 255, 255), (0, 0, 0, 0)),  # white strokes: both readings are one
        drawn((255, 255, 255, 255), (0, 0, 0, 255)),
        drawn((255, 255, 255, 9), (0, 0, 0, 9)),
    ):
        Image.fromarray(pixels).save(tmp_path / "hole.png")
        np.testing.assert_array_equal(read_hole(tmp_path / "hole.png"), HOLE)
    assert caplog.text == ""


def test_two_shapes_are_refused_with_both(tmp_path):
    pixels = drawn((255, 255, 255, 255), (0, 0, 0, 255))
    pixels[0, 1:, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "hole.png")
    message = "brightness marks 37.5% of it as white, its transparency 62.5% as opaque: save it in black and white"
    with pytest.raises(UserError, match=message) as caught:
        read_hole(tmp_path / "hole.png")
    assert "\n" not in str(caught.value)


def test_a_hole_grows_by_a_disc():
    hole = np.zeros((7, 9), bool)
    hole[3, 4] = True
    rows, columns = np.mgrid[:7, :9]
    for pixels in (0, 1, 2, 3, 50):
        np.testing.assert_array_equal(grow_hole(hole, pixels), np.hypot(rows - 3, columns - 4) <= pixels)
    assert not grow_hole(~hole & hole, 3).any() and grow_hole(hole | ~hole, 3).all()


LABELS = np.random.default_rng(0).integers(0, 12, (9, 13), np.uint8)


def test_files_images_and_arrays_are_one(tmp_path):
    path = tmp_path / "labels.png"
    Image.fromarray(LABELS).save(path)
    for source in (path, str(path), Image.fromarray(LABELS), LABELS, LABELS.astype(np.int64), LABELS[..., None]):
        found = read_labels(source, 12)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, LABELS)


def test_what_is_no_label_map_is_refused_in_one_line():
    colours = np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8)
    for source, message in (
        (colours, "colour image"),
        (Image.fromarray(colours), "colour image"),
        (LABELS / 11.0, "must be integers"),
        (LABELS.astype(np.int64) - 3, "label -3"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            read_labels(source)
        assert "\n" not in str(caught.value)
    assert read_labels(LABELS * 20).max() == 220
    with pytest.raises(UserError, match="the label 220, but 12 classes"):
        read_labels(LABELS * 20, 12)
