"""Windows put together: exact where they agree, gradual where they do not, nothing outside the hole."""

import numpy as np

from scan_jax.inference.tiling import Tiles, to_bytes

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


def test_what_is_corrected_is_the_hole_and_a_pixel_around():
    tiles = scratched()
    seen = []

    def correct(prediction, pixels, hole, known):
        seen.append(hole.sum())
        assert (pixels[known] == np.round(255 * prediction[known])).all() and not (hole & known).any()
        assert known.sum() > hole.sum() / 2  # the scratches are three or four pixels wide
        return prediction * 0

    truth = tiles.pixels / np.float32(255)
    filled = tiles.merge((truth[window.slices] for window in tiles.windows), correct)
    assert sum(seen) == tiles.hole.sum() and (filled[tiles.hole] == 0).all()
    np.testing.assert_array_equal(filled[~tiles.hole], tiles.pixels[~tiles.hole])
