"""Strokes and colours on what the browser shows, and the way back to the photograph's pixels."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from scan_jax.core.errors import UserError
from scan_jax.demo import painting
from scan_jax.demo.painting import classes_of, repaint, show, show_labels, shown_shape, strokes_of, to_photograph
from scan_jax.images.palette import palette


def layer(shape):
    return Image.new("RGBA", (shape[1], shape[0]))


def test_what_is_shown_is_neither_tiny_nor_huge_and_keeps_its_proportions():
    for shape in [(17, 900), (64, 64), (600, 600), (3000, 4000), (1, 5000)]:
        shown = shown_shape(shape)
        assert painting.MIN_SIDE <= max(shown) <= painting.MAX_SIDE or max(shown) == max(shape)
        assert min(shown) >= 1
        assert abs(shown[0] / shape[0] - shown[1] / shape[1]) <= 1 / min(shape)
    assert shown_shape((600, 700, 3)) == (600, 700)
    assert show(np.zeros((30, 20, 3), np.uint8)).shape == (512, 341, 3)
    assert strokes_of([]) is None and strokes_of([layer((8, 8)), layer((8, 8))]) is None  # no hole
    border = Image.fromarray(np.array([[(0, 0, 0, alpha) for alpha in (0, 127, 128, 255)]], np.uint8))
    np.testing.assert_array_equal(strokes_of([border]), [[False, False, True, True]])


@pytest.mark.parametrize("shape", [(64, 48), (2048, 1536), (700, 600)])
def test_a_painted_rectangle_comes_back_where_it_was(shape):
    """To half a pixel of the coarser of both grids."""
    shown = shown_shape(shape)
    top, left, bottom, right = 0.25, 0.125, 0.75, 0.5
    canvas = layer(shown)
    corners = [left * shown[1], top * shown[0], right * shown[1] - 1, bottom * shown[0] - 1]
    ImageDraw.Draw(canvas).rectangle(corners, fill=(237, 51, 140, 255))
    hole = to_photograph(strokes_of([layer(shown), canvas]), shape)
    assert hole.shape == shape
    expected = np.zeros(shape, bool)
    expected[int(top * shape[0]) : int(bottom * shape[0]), int(left * shape[1]) : int(right * shape[1])] = True
    assert (hole != expected).sum() <= 2 * sum(shape)
    assert hole[shape[0] // 2, shape[1] // 4]
    assert not hole[0].any()


def test_strokes_at_the_photographs_own_size_are_taken_exactly_and_those_of_another_refused():
    strokes = np.random.default_rng(0).random((40, 30)) > 0.5
    np.testing.assert_array_equal(to_photograph(strokes, (40, 30, 3)), strokes)
    with pytest.raises(UserError, match="belong to another photograph"):
        to_photograph(np.ones((512, 512), bool), (40, 30))


@pytest.mark.parametrize("num_labels", [3, 12, 19, 40])
def test_every_class_can_be_painted(num_labels):
    colours = palette(num_labels)
    pixels = np.concatenate([colours, np.full((num_labels, 1), 255, np.uint8)], axis=1)  # [N,4]
    canvas = Image.fromarray(np.repeat(np.repeat(pixels[None], 4, 0), 4, 1))  # [4,4N,4]
    found = classes_of([canvas], num_labels)
    np.testing.assert_array_equal(found, np.repeat(np.arange(num_labels), 4)[None].repeat(4, 0))


def test_a_blend_at_the_border_of_two_strokes_is_no_third_class():
    """Half of (204,0,0) skin and half of (0,0,204) hat is nearer to another class than to both."""
    colours = palette(19).astype(int)
    pixels = np.zeros((5, 41, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[:, :20, :3], pixels[:, 21:, :3] = colours[1], colours[14]
    pixels[:, 20, :3] = (colours[1] + colours[14]) // 2
    found = classes_of([Image.fromarray(pixels)], 19)
    assert set(np.unique(found)) == {1, 14}
    assert (found[:, :20] == 1).all()
    assert (found[:, 21:] == 14).all()


def test_the_upper_layer_counts_and_what_is_not_painted_stays():
    below, above = layer((6, 6)), layer((6, 6))
    ImageDraw.Draw(below).rectangle([0, 0, 3, 5], fill=(*map(int, palette(19)[13]), 255))
    ImageDraw.Draw(above).rectangle([2, 0, 3, 5], fill=(*map(int, palette(19)[17]), 255))
    found = classes_of([below, above], 19)
    np.testing.assert_array_equal(found[0], [13, 13, 17, 17, painting.UNPAINTED, painting.UNPAINTED])
    labels = np.full((3, 3), 5, np.int32)
    with pytest.raises(UserError, match="another photograph"):
        repaint(labels, found)
    shown = np.kron(found, np.ones((512 // 6 + 1,) * 2, np.int32))[:512, :512]
    np.testing.assert_array_equal(repaint(labels, shown)[0], [13, 17, 5])
    assert repaint(labels, None) is labels


def test_a_label_map_is_shown_in_the_palettes_colours_and_read_back():
    labels = np.random.default_rng(0).integers(0, 19, (40, 56)).astype(np.int32)
    shown = show_labels(labels, 19)
    assert shown.shape == (*shown_shape(labels.shape), 3)
    painted = Image.fromarray(np.concatenate([shown, np.full((*shown.shape[:2], 1), 255, np.uint8)], -1))
    np.testing.assert_array_equal(repaint(np.zeros_like(labels), classes_of([painted], 19)), labels)
