"""Windows put together: exact where they agree, gradual where they do not, nothing outside the hole."""

import numpy as np
import pytest

from scan_jax.inference.tiling import Layer, Tiles, Window, shrink, to_bytes

SIZE, STRIDE = 32, 8


def scratched(seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (300, 260, 3), np.uint8)
    hole = np.zeros((300, 260), bool)
    hole[100:104, 5:250], hole[30:240, 40:43] = True, True
    return Tiles.of(pixels, hole, None, SIZE, "windows")


def merged(tiles, predictions, correct=None):
    """Of tiles with a single layer."""
    assert len(tiles.layers) == 1
    filled = tiles.pixels.copy()
    tiles.write_hole(0, filled, predictions, correct)
    return filled


def test_completions_that_agree_are_put_together_exactly():
    tiles = scratched()
    wanted = np.random.default_rng(1).random((300, 260, 3), np.float32)
    filled = merged(tiles, (wanted[window.slices] for window in tiles.windows))
    np.testing.assert_array_equal(filled[~tiles.hole], tiles.pixels[~tiles.hole])
    assert np.abs(filled[tiles.hole].astype(int) - to_bytes(wanted[tiles.hole])).max() <= 1
    assert len(tiles.windows) > 10


def test_windows_that_differ_turn_into_each_other_gradually():
    tiles = scratched()
    count = len(tiles.windows)
    levels = np.random.default_rng(2).permutation(count) / count
    filled = merged(tiles, (np.full((SIZE, SIZE, 3), level, np.float32) for level in levels))
    along = filled[101, 50:250, 0].astype(int)  # of the horizontal scratch
    assert np.ptp(along) > 100  # they do differ,
    assert np.abs(np.diff(along)).max() < 40  # and no step is as large as between two of them


def test_network_inputs_show_each_window_without_its_hole():
    tiles = scratched()
    inputs = tiles.network_inputs(0, tiles.pixels, SIZE, STRIDE)
    for network_input, place in zip(inputs, tiles.windows, strict=True):
        known = ~tiles.hole[place.slices]
        np.testing.assert_array_equal(network_input.known, known)
        np.testing.assert_array_equal(to_bytes(network_input.image), tiles.pixels[place.slices] * known[..., None])


@pytest.mark.parametrize(
    "height, width, shown", [(20, 9, (20, 9)), (64, 128, (32, 64)), (300, 260, (64, 55)), (65, 7, (64, 7))]
)
def test_windows_of_any_proportions_share_one_shape_within_a_square(height, width, shown):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    hole = np.zeros((height, width), bool)
    hole[2:5, 2:5] = True
    whole = (Layer(hole, (Window(0, 0, height, width),)),)
    (seen,) = Tiles(pixels, hole, None, whole, square=True).network_inputs(0, pixels, 64, STRIDE)
    assert seen.known.shape == shown and seen.shape == (height, width)
    image, known = (np.asarray(array)[0] for array in (seen.observation.image, seen.observation.known))
    assert image.shape == (64, 64, 3)
    expected = np.pad(seen.image, [(0, 64 - shown[0]), (0, 64 - shown[1]), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(image, expected * known)
    small = shrink(pixels.astype(np.float32) / np.float32(255), ~hole, shown)
    np.testing.assert_array_equal(seen.image, small[0])


def test_labels_want_the_whole_photograph_unless_told_otherwise():
    pixels, hole = np.zeros((300, 300, 3), np.uint8), np.zeros((300, 300), bool)
    hole[10:14, 10:14] = True
    labels = np.arange(300 * 300, dtype=np.int32).reshape(300, 300)
    assert Tiles.of(pixels, hole, labels, SIZE, "auto").strategy == "the whole photograph"
    tiles = Tiles.of(pixels, hole, labels, SIZE, "windows")
    (network_input,) = tiles.network_inputs(0, tiles.pixels, SIZE, STRIDE)
    np.testing.assert_array_equal(network_input.observation.labels[0], labels[:SIZE, :SIZE])


def test_what_is_corrected_is_the_hole_and_a_pixel_around():
    tiles = scratched()
    seen = []

    def correct(prediction, pixels, hole, known):
        seen.append(hole.sum())
        assert (pixels[known] == np.round(255 * prediction[known])).all() and not (hole & known).any()
        assert known.sum() > hole.sum() / 2  # the scratches are three or four pixels wide
        return prediction * 0

    truth = tiles.pixels / np.float32(255)
    filled = merged(tiles, (truth[window.slices] for window in tiles.windows), correct)
    assert sum(seen) == tiles.hole.sum() and (filled[tiles.hole] == 0).all()
    np.testing.assert_array_equal(filled[~tiles.hole], tiles.pixels[~tiles.hole])


def test_later_layers_see_what_earlier_ones_filled_and_fill_the_rest_again():
    pixels, hole = np.full((300, 260, 3), 200, np.uint8), np.zeros((300, 260), bool)
    hole[100:160, 100:160], hole[20:23, 20:23] = True, True
    tiles = Tiles.of(pixels, hole, None, SIZE, "windows")
    filled, unfilled = pixels.copy(), hole.copy()
    for turn, layer in enumerate(tiles.layers):
        inputs = list(tiles.network_inputs(turn, filled, SIZE * 99, STRIDE))  # so that nothing is shrunk
        for seen, window in zip(inputs, layer.windows, strict=True):
            np.testing.assert_array_equal(seen.known, ~(unfilled | layer.hole)[window.slices])
            now = to_bytes(seen.image)[seen.known]
            np.testing.assert_array_equal(now, filled[window.slices][seen.known])
        level = np.float32(turn / 255)
        tiles.write_hole(turn, filled, (np.full((window.height, window.width, 3), level) for window in layer.windows))
        unfilled &= ~layer.hole
    assert not unfilled.any() and len(tiles.layers) == 3
    np.testing.assert_array_equal(filled[~hole], 200)
    np.testing.assert_array_equal(filled[20:23, 20:23], 2)  # thin: by the narrowest windows alone
    across = filled[130, 100:160, 0]  # a third of 64 and of 32 pixels from either side, at OpenCV's 0.955 a pixel
    np.testing.assert_array_equal(across, np.repeat([2, 1, 0, 1, 2], [11, 11, 16, 11, 11]))
    tiles.write_hole(len(tiles.layers), filled, iter(()))  # there is no such layer: nothing to do
    assert list(tiles.network_inputs(len(tiles.layers), filled, SIZE, STRIDE)) == []
