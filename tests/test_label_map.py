"""Label maps from image files: indices, not colours; checked and resized without inventing a class."""

import numpy as np
import pytest
from PIL import Image

from scan_jax import label_map
from scan_jax.errors import UserError

LABELS = np.array([[0, 1, 2], [3, 4, 11]], np.uint8)


def save(tmp_path, image, name="labels.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_a_grey_png_is_read_by_value(tmp_path):
    found = label_map.read_file(save(tmp_path, Image.fromarray(LABELS)))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_is_read_by_index(bits, tmp_path):
    image = Image.fromarray(LABELS).convert("P")
    image.putdata(LABELS.ravel().tolist())
    image.putpalette(np.random.default_rng(0).permutation(48).astype(np.uint8).tobytes())
    path = save(tmp_path, image, bits=bits)
    with Image.open(path) as stored:
        assert stored.mode == "P"
    np.testing.assert_array_equal(label_map.read_file(path), LABELS)


def test_one_and_sixteen_bits_are_read_by_value(tmp_path):
    deep = LABELS.astype(np.uint16) * 100
    np.testing.assert_array_equal(label_map.read_file(save(tmp_path, Image.fromarray(deep))), deep)
    np.testing.assert_array_equal(label_map.read_file(save(tmp_path, Image.fromarray(LABELS > 1))), LABELS > 1)


def test_colours_are_refused_with_the_cure(tmp_path):
    coloured = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8))
    with pytest.raises(
        UserError, match=r"a\.png is a colour image \(RGB\).*class of each colour.*8-bit single-channel"
    ):
        label_map.read_file(save(tmp_path, coloured, "a.png"))
    grey = save(tmp_path, Image.fromarray(LABELS).convert("RGBA"), "b.png")
    with pytest.raises(UserError, match=r'b\.png is a colour image \(RGBA\).*convert\("L"\)'):
        label_map.read_file(grey)
    Image.open(grey).convert("L").save(grey)  # the cure
    np.testing.assert_array_equal(label_map.read_file(grey), LABELS)
    with pytest.raises(UserError, match="mode LA"):
        label_map.read_file(save(tmp_path, Image.fromarray(LABELS).convert("LA"), "c.png"))


def test_a_lossy_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.jpg is a JPEG, which blurs classes; save it as a PNG"):
        label_map.read_file(save(tmp_path, Image.fromarray(LABELS), "a.jpg"))


def test_labels_out_of_range_are_named():
    label_map.check(LABELS, 12)
    label_map.check(LABELS, None)
    with pytest.raises(UserError, match=r"^street\.png has the label 11, but 11 classes are numbered 0 to 10$"):
        label_map.check(LABELS, 11, "street.png")
    with pytest.raises(UserError, match=r"label 255, but 12 classes.*void"):
        label_map.check(np.full((2, 2), 255), 12)
    with pytest.raises(UserError, match="label -1; classes are numbered from 0"):
        label_map.check(LABELS.astype(int) - 1, None)
    for wrong in (LABELS.astype(float), LABELS[None], LABELS[:0]):
        with pytest.raises(UserError, match=r"must be integers \[H,W\]"):
            label_map.check(wrong, 12)


@pytest.mark.parametrize("shape", [(7, 5), (3, 4), (20, 9), (13, 31)])
def test_resize_takes_the_pixel_under_each_centre(shape):
    labels = np.random.default_rng(1).integers(0, 12, (13, 9), np.uint8)
    found = label_map.resize(labels, shape)
    assert found.dtype == np.uint8
    for i in range(shape[0]):
        for j in range(shape[1]):
            row, column = int((i + 0.5) * 13 / shape[0]), int((j + 0.5) * 9 / shape[1])
            assert found[i, j] == labels[row, column]


def test_resize_to_a_photograph_wants_its_proportions():
    assert label_map.resize_like(np.zeros((512, 512), int), (1024, 1023)).shape == (1024, 1023)
    with pytest.raises(UserError, match="labels is 512x512, its photograph 300x400: their proportions differ"):
        label_map.resize_like(np.zeros((512, 512), int), (400, 300), "labels")
