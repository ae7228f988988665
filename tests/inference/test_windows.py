"""Where large photographs are looked at: every hole pixel, with context, at a scale that fits the hole."""

import cv2
import numpy as np
import pytest

from scan_jax.inference import tiling
from scan_jax.inference.tiling import Window, plan

SIZE = 32


def blank(height=400, width=600):
    return np.zeros((height, width), bool)


def covered(layers, shape):
    """How often each pixel of the hole is written, and whether a window of that layer shows it."""
    times, seen = np.zeros(shape, int), np.zeros(shape, bool)
    for layer in layers:
        times += layer.hole
        inside = np.zeros(shape, bool)
        for window in layer.windows:
            assert window.top >= 0 and window.top + window.height <= shape[0]
            assert window.left >= 0 and window.left + window.width <= shape[1]
            inside[window.slices] = True
        seen |= layer.hole & inside
    return times, seen


@pytest.mark.parametrize("seed", range(8))
def test_every_hole_pixel_is_filled_by_windows_that_show_it_from_wide_to_narrow(seed):
    rng = np.random.default_rng(seed)
    hole = np.zeros(rng.integers(20, 500, 2), bool)
    for _ in range(rng.integers(1, 9)):
        top, left = (rng.integers(side) for side in hole.shape)
        height, width = 1 + np.exp(rng.uniform(0, 5, 2)).astype(int)
        hole[top : top + height, left : left + width] = True
    layers = plan(hole, SIZE, "windows")
    times, seen = covered(layers, hole.shape)
    np.testing.assert_array_equal(times > 0, hole)
    np.testing.assert_array_equal(seen, hole)
    assert sum(len(layer.windows) for layer in layers) <= tiling.MOST
    sides = [max(max(window.height, window.width) for window in layer.windows) for layer in layers]
    assert sides == sorted(set(sides), reverse=True)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    filled = np.zeros_like(hole)
    for layer, side in zip(layers, sides):
        assert depth[layer.hole & filled].max(initial=0) <= side * tiling.RIM
        filled |= layer.hole


def test_windows_are_at_least_half_as_wide_again_as_their_part_of_the_hole_is_thick():
    hole = blank()
    hole[100:132, 200:260] = True
    layer, *_ = plan(hole, SIZE, "windows")
    assert layer.windows == (Window(116 - 32, 216 - 32, 64, 64), Window(116 - 32, 246 - 32, 64, 64))  # 1.5 x 32 -> 64
    hole = blank()
    hole[50:54, 20:26] = True
    hole[100:300, 300:500] = True
    thick, *_, thin = plan(hole, SIZE, "windows")
    assert [max(w.height, w.width) for w in (*thick.windows, thin.windows[0])] == [512, SIZE]
    assert thick.windows[0].height == 400  # no larger than the photograph
    assert thin.hole[50:54, 20:26].all() and not thick.hole[50:54].any()
    hole = blank()
    np.fill_diagonal(hole[:, :400], True)  # a long scratch
    (layer,) = plan(hole, SIZE, "windows")
    assert len(layer.windows) == 25 and {window.height for window in layer.windows} == {SIZE}


def test_thick_parts_are_filled_again_near_their_border_through_narrower_windows():
    hole = blank()
    hole[150:250, 250:350] = True
    layers = plan(hole, SIZE, "windows")
    assert [max(layer.windows[0].height, layer.windows[0].width) for layer in layers] == [256, 128, 64, SIZE]
    depths = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    np.testing.assert_array_equal(layers[0].hole, hole)
    for layer, side in zip(layers[1:], (128, 64, SIZE)):
        np.testing.assert_array_equal(layer.hole, hole & (depths <= side / 3))
        assert 0 < layer.hole.sum() < hole.sum()
    # The whole of a photograph, shrunk, shows as much as windows that are nearly as wide.
    small = plan(hole[100:300, 200:400], SIZE, "windows")
    assert [max(layer.windows[0].height, layer.windows[0].width) for layer in small] == [200, 128, 64, SIZE]


def test_dust_everywhere_is_bounded():
    hole = blank(900, 900)
    hole[::7, ::5] = True
    layers = plan(hole, SIZE, "windows")
    assert sum(len(layer.windows) for layer in layers) <= tiling.MOST
    times, seen = covered(layers, hole.shape)
    assert np.array_equal(seen, hole) and times.max() == 1


def test_a_hole_that_needs_everything_sees_everything_and_auto_is_whole_up_to_four_sizes():
    for edge in (np.s_[:], np.s_[:350], np.s_[:, 50:]):
        hole = blank()
        hole[edge] = True
        layer, *_ = plan(hole, SIZE, "windows")
        assert layer.windows == (Window(0, 0, 400, 600),)
        assert tiling.Tiles(hole, hole, None, (layer,)).strategy == "the whole photograph"
    for side, expected in ((4 * SIZE, "the whole photograph"), (4 * SIZE + 1, f"1 window of {SIZE} pixels")):
        hole = blank(side, 300)
        hole[60:65, 70:75] = True
        assert tiling.Tiles.of(hole, hole, None, SIZE, "auto").strategy == expected


def test_weights_fall_to_edges_that_are_not_the_photographs():
    shape = (100, 80)
    inner, corner = (tiling.weights(Window(*at, 32, 32), shape) for at in ((30, 30), (0, 48)))
    assert inner.max() <= 1 and 0 < inner.min() < 0.01 and np.allclose(inner, inner[::-1, ::-1])
    assert corner[0, -1] == 1 and corner[-1, -1] < 0.05 and corner[0, 0] < 0.05
    assert np.all(tiling.weights(Window(0, 0, *shape), shape) == 1)
