"""Label maps from image files: indices, not colours; checked and resized without inventing a class; their colours."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images import labels as label_map
from scan_jax.images.palette import paint, palette

LABELS = np.array([[0, 1, 2], [3, 4, 11]], np.uint8)


def save(tmp_path, image, name="labels.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("array", [LABELS, LABELS.astype(np.uint16) * 100, LABELS > 1])
def test_grey_pngs_of_eight_sixteen_and_one_bits_are_read_by_value(array, tmp_path):
    found = label_map.read_file(save(tmp_path, Image.fromarray(array)))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_is_read_by_index(bits, tmp_path):
    image = Image.fromarray(LABELS).convert("P")
    image.putdata(LABELS.ravel().tolist())
    image.putpalette(np.random.default_rng(0).permutation(48).astype(np.uint8).tobytes())
    path = save(tmp_path, image, bits=bits)
    with Image.open(path) as stored:
        assert stored.mode == "P"
    np.testing.assert_array_equal(label_map.read_file(path), LABELS)


@pytest.mark.parametrize(
    ("name", "mode", "match"),
    [
        ("a.png", "RGB", r"a\.png is a colour image \(RGB\).*convert\(\"L\"\)"),
        ("b.png", "RGBA", r"b\.png is a colour image \(RGBA\).*convert\(\"L\"\)"),
        ("c.png", "LA", "mode LA"),
        ("a.jpg", "L", r"a\.jpg is a JPEG, which blurs classes; save it as a PNG"),
    ],
)
def test_other_files_are_refused_with_the_cure(name, mode, match, tmp_path):
    path = save(tmp_path, Image.fromarray(LABELS).convert(mode), name)
    with pytest.raises(UserError, match=match):
        label_map.read_file(path)
    Image.open(path).convert("L").save(tmp_path / "cured.png")
    if mode != "L":
        np.testing.assert_array_equal(label_map.read_file(tmp_path / "cured.png"), LABELS)


def test_colours_are_refused_with_the_cure(tmp_path):
    coloured = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8))
    with pytest.raises(UserError, match=r"is a colour image \(RGB\).*class of each colour.*8-bit single-channel"):
        label_map.read_file(save(tmp_path, coloured))


@pytest.mark.parametrize(
    ("labels", "count", "match"),
    [
        (LABELS, 11, r"^street\.png has the label 11, but 11 classes are numbered 0 to 10$"),
        (np.full((2, 2), 255), 12, r"label 255, but 12 classes.*void"),
        (LABELS.astype(int) - 1, None, "label -1; classes are numbered from 0"),
        *((wrong, 12, r"must be integers \[H,W\]") for wrong in (LABELS.astype(float), LABELS[None], LABELS[:0])),
    ],
)
def test_labels_out_of_range_are_named(labels, count, match):
    label_map.check(LABELS, 12)
    label_map.check(LABELS, None)
    with pytest.raises(UserError, match=match):
        label_map.check(labels, count, "street.png")


@pytest.mark.parametrize("shape", [(7, 5), (3, 4), (20, 9), (13, 31)])
def test_resize_takes_the_pixel_under_each_centre(shape):
    labels = np.random.default_rng(1).integers(0, 12, (13, 9), np.uint8)
    found = label_map.resize(labels, shape)
    assert found.dtype == np.uint8
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, (13, 9)))
    np.testing.assert_array_equal(found, labels[np.ix_(rows, columns)])


def test_resize_to_a_photograph_wants_its_proportions():
    assert label_map.resize_like(np.zeros((512, 512), int), (1024, 1023)).shape == (1024, 1023)
    with pytest.raises(UserError, match="labels is 512x512, its photograph 300x400: their proportions differ"):
        label_map.resize_like(np.zeros((512, 512), int), (400, 300), "labels")


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
