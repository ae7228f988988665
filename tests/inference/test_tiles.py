"""Windows put together: exact where they agree, gradual where they do not, nothing outside the hole."""

import numpy as np
import pytest

from scan_jax.inference.tiling import Tiles, feather, to_bytes

SIZE, STRIDE = 32, 8


def scratched(seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (300, 260, 3), np.uint8)
    hole = np.zeros((300, 260), bool)
    hole[100:104, 5:250], hole[30:240, 40:43] = True, True
    return Tiles.of(pixels, hole, None, SIZE, "windows")


def test_completions_that_agree_are_put_together_exactly():
    tiles = scratched()
    wanted = np.random.default_rng(1).random((300, 260, 3), np.float32)
    filled = tiles.merge(wanted[window.slices] for window in tiles.windows)
    np.testing.assert_array_equal(filled[~tiles.hole], tiles.pixels[~tiles.hole])
    assert np.abs(filled[tiles.hole].astype(int) - to_bytes(wanted[tiles.hole])).max() <= 1
    assert len(tiles.windows) > 10


def test_windows_that_differ_turn_into_each_other_gradually():
    tiles = scratched()
    count = len(tiles.windows)
    levels = np.random.default_rng(2).permutation(count) / count
    filled = tiles.merge(np.full((SIZE, SIZE, 3), level, np.float32) for level in levels)
    along = filled[101, 50:250, 0].astype(int)  # of the horizontal scratch
    assert np.ptp(along) > 100  # they do differ,
    assert np.abs(np.diff(along)).max() < 40  # and no step is as large as between two of them


def test_network_inputs_show_each_window_without_its_hole():
    tiles = scratched()
    for network_input, place in zip(tiles.network_inputs(SIZE, STRIDE), tiles.windows, strict=True):
        known = ~tiles.hole[place.slices]
        np.testing.assert_array_equal(network_input.known, known)
        np.testing.assert_array_equal(to_bytes(network_input.image), tiles.pixels[place.slices] * known[..., None])


def test_labels_want_the_whole_photograph_unless_told_otherwise():
    pixels, hole = np.zeros((300, 300, 3), np.uint8), np.zeros((300, 300), bool)
    hole[10:14, 10:14] = True
    labels = np.arange(300 * 300, dtype=np.int32).reshape(300, 300)
    assert Tiles.of(pixels, hole, labels, SIZE, "auto").strategy == "the whole photograph"
    tiles = Tiles.of(pixels, hole, labels, SIZE, "windows")
    (network_input,) = tiles.network_inputs(SIZE, STRIDE)
    np.testing.assert_array_equal(network_input.observation.labels[0], labels[:SIZE, :SIZE])


@pytest.mark.parametrize("offset", [0.1, -0.2])
def test_a_prediction_that_is_off_by_a_constant_feathers_the_known_colours(offset):
    """At the border the whole offset is taken away, so no seam is left; far inside, nothing."""
    image = np.full((60, 80, 3), 0.5, np.float32)
    known = np.ones((60, 80), bool)
    known[:, 40:] = False
    met = feather(image + np.float32(offset), np.where(known[..., None], image, 0), known, 4.0)
    assert np.abs(met[:, 40] - 0.5).max() < 0.12 * abs(offset)
    assert np.allclose(met[:, 70:], 0.5 + offset, atol=1e-4)
    assert np.all(np.abs(np.diff(met[:, 40:, 0], axis=1)) < 0.3 * abs(offset))
    np.testing.assert_array_equal(feather(met, image, known, 0.0), met)
    nothing = feather(image, image, np.zeros_like(known), 4.0)
    np.testing.assert_array_equal(nothing, image)
