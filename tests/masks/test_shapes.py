"""The geometry of strokes, halves and frames."""

import itertools
import math

import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.masks import strokes
from scan_jax.masks.api import open_holes
from scan_jax.masks.ratio import BUCKETS_FROM_ZERO, Bucket
from scan_jax.masks.shapes import SIDES, frames, half
from scan_jax.masks.strokes import draw_stroke, fine_canvas, thin, zigzag


def rngs(count):
    return [np.random.default_rng(seed) for seed in range(count)]


def test_zigzags_turn_by_the_published_angles_and_lengths():
    size = 4096  # so that rounding to pixels hides nothing
    step = math.sqrt(2) * size / 8
    lengths, headings = [], []
    for rng in rngs(300):
        vertices = zigzag(rng, size, 11).astype(float)
        assert vertices.shape == (12, 2)
        assert vertices.min() >= 0
        assert vertices.max() <= size
        inside = ((vertices[1:] > 0) & (vertices[1:] < size)).all(axis=1)  # not cut off at the edge
        x, y = np.diff(vertices, axis=0)[inside].T
        up = (-1.0) ** np.arange(11)[inside]
        lengths += list(np.hypot(x, y))
        headings += list(np.degrees(np.arctan2(up * y, x))[np.hypot(x, y) > 50])
    assert min(headings) > 72 - 24 - 2
    assert max(headings) < 72 + 24 + 2
    assert abs(np.mean(headings) - 72) < 1
    assert max(lengths) <= 2 * step + 2
    assert np.median(lengths) < step  # the long ones leave the canvas more often


def distance_to(vertices, size):
    """[size,size]: of each pixel to the polyline, by the formula."""
    y, x = np.mgrid[:size, :size]
    nearest = np.full((size, size), np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices.astype(float)):
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
        along = along.clip(0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
    return nearest


@pytest.mark.parametrize("width", [12, 25, 40])
def test_strokes_are_as_wide_as_asked_with_round_ends_and_joints(width):
    for seed in range(5):
        canvas = fine_canvas(256)
        draw_stroke(np.random.default_rng(seed), canvas, 6, (width / 256, width / 256))
        distance = distance_to(zigzag(np.random.default_rng(seed), 256, 6), 256)
        assert canvas[distance < width / 2 - 1.5].all()
        assert not canvas[distance > width / 2 + 1.5].any()


def test_stroke_widths_are_drawn_between_thinnest_and_thickest():
    thinnest, between, thickest = (np.zeros((256, 256), np.uint8) for _ in range(3))
    for canvas, width in ((thinnest, (12, 12)), (between, (12, 40)), (thickest, (40, 40))):
        draw_stroke(np.random.default_rng(1), canvas, 7, (width[0] / 256, width[1] / 256))
    assert (thinnest <= between).all() and (between <= thickest).all()
    assert thinnest.sum() < between.sum() < thickest.sum()


@pytest.mark.parametrize("name", ["strokes", "free_form"])
def test_small_holes_are_large_ones_thinned_out(name):
    assert [fine_canvas(size).shape for size in (64, 100, 300)] == [(256, 256), (300, 300), (300, 300)]
    canvas = np.zeros((256, 256), np.uint8)
    canvas[2::4, 2::4] = 1  # the pixels at the middle of 4x4 blocks
    assert thin(canvas, 64).all()
    source = open_holes({"name": name, "ratio": (0.0, 1.0)}).train
    for seed in range(10):
        fine, coarse = (source.draw(np.random.default_rng(seed), size) for size in (256, 64))
        np.testing.assert_array_equal(coarse, fine[2::4, 2::4])


@pytest.mark.parametrize("low", [0.0, 0.5])
def test_strokes_have_the_published_number_unless_more_are_needed(low, monkeypatch):
    painted, counts = [], []
    monkeypatch.setattr(strokes, "draw_stroke", lambda *args: painted.append(args[2]) or draw_stroke(*args))
    source = strokes.Strokes((low, 1.0))
    for rng in rngs(60):
        painted.clear()
        source._try(rng, 64)
        assert all(4 <= segments <= 11 for segments in painted)
        counts.append(len(painted))
    assert min(counts) > 3 if low else set(counts) == {1, 2, 3}


@pytest.mark.parametrize("size", [8, 33, 64])
def test_a_half_is_exactly_half(size):
    whole = {side: half(side, size) for side in SIDES}
    assert all(hole.sum() == size // 2 * size for hole in whole.values())
    assert whole["left"][:, : size // 2].all()
    assert whole["right"][:, -(size // 2) :].all()
    assert whole["top"][: size // 2].all()
    assert whole["bottom"][-(size // 2) :].all()


def test_halves_are_asked_for_by_side_take_turns_and_are_refused_where_they_cannot_be():
    source = open_holes({"name": "half", "sides": ("left", "bottom")}).held_out
    drawn = {source.draw(rng, 16).tobytes() for rng in rngs(30)}
    assert drawn == {half(side, 16).tobytes() for side in ("left", "bottom")}
    fixed = source.fixed(16, Bucket(0.4, 0.5), 5, seed=0)
    assert [hole.tobytes() for hole in fixed] == [half(s, 16).tobytes() for s in ("left", "bottom") * 2 + ("left",)]
    assert len(source.fixed(16, Bucket(0.5, 0.6), 5, seed=0)) == 0  # exactly 50% belongs below
    for section, match in (
        ({"sides": ("lft",)}, "'lft', did you mean 'left'"),
        ({"sides": ()}, "sides is empty"),
        ({"ratio": (0.1, 0.2)}, r"takes 50% of the image, which is outside \(0\.1, 0\.2\]"),
    ):
        with pytest.raises(UserError, match=match):
            open_holes({"name": "half", **section})
    source = open_holes({"name": "half", "ratio": (0.1, 0.49)}).train
    assert source.draw(np.random.default_rng(0), 9).sum() == 36  # 4 of 9 rows
    with pytest.raises(UserError, match=r"takes 50\.0%"):
        source.draw(np.random.default_rng(0), 8)


@pytest.mark.parametrize("size", [31, 64])
def test_the_known_part_of_a_frame_is_a_centred_rectangle(size):
    source = open_holes({"name": "border", "ratio": (0.1, 0.7)}).train
    shapes = set()
    for rng in rngs(60):
        hole = source.draw(rng, size)
        top, left = int((~hole).any(axis=1).argmax()), int((~hole).any(axis=0).argmax())
        frame = np.ones((size, size), bool)
        frame[top : size - top, left : size - left] = False
        np.testing.assert_array_equal(hole, frame)
        assert 1 <= min(top, left) <= max(top, left) <= 2 * min(top, left)
        shapes.add((top, left))
    assert {(left, top) for top, left in shapes} & shapes  # both ways round


def test_frames_grow_with_the_ratio_fill_every_bucket_and_need_whole_pixels():
    source = open_holes({"name": "border", "ratio": (0.0, 0.6)}).held_out
    for bucket in BUCKETS_FROM_ZERO:
        holes = source.fixed(256, bucket, 30, seed=3)
        assert len(holes) == 30
        assert all(hole.mean() in bucket for hole in holes)
        assert len({hole.tobytes() for hole in holes}) > 10
    pixels = [count for count, _, _ in frames(256, Bucket(0.0, 1.0))]
    assert pixels == sorted(pixels)
    assert frames(8, Bucket(0.0, 0.4)) == ()  # one pixel all round is 44% already
    source = open_holes({"name": "border", "ratio": (0.1, 0.4)}).held_out
    assert len(source.fixed(8, Bucket(0.1, 0.2), 4, seed=0)) == 0
    with pytest.raises(UserError, match="no frame of 8x8"):
        source.draw(np.random.default_rng(0), 8)
