"""Several sources in one."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.masks.api import open_holes
from scan_jax.masks.mixture import share_out
from scan_jax.masks.ratio import BUCKETS, Bucket
from scan_jax.masks.shapes import SIDES, half


def mixture(weights, **section):
    return open_holes({"name": "mixture", "weights": weights, **section})


def test_chance_picks_parts_by_weight():
    source = mixture({"half": 3, "border": 1.0}, ratio=(0.1, 0.6)).train
    rng = np.random.default_rng(0)
    framed = [bool(hole[0].all() and hole[-1].all()) for hole in (source.draw(rng, 32) for _ in range(400))]
    assert 0.19 < np.mean(framed) < 0.31


def test_the_part_is_drawn_first_and_then_draws_for_itself():
    source = mixture({"free_form": 0.5, "rectangles": 0.5}).train
    alone = {name: open_holes({"name": name}).train for name in ("free_form", "rectangles")}
    picked = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        name = "free_form" if rng.random() < 0.5 else "rectangles"
        np.testing.assert_array_equal(source.draw(np.random.default_rng(seed), 32), alone[name].draw(rng, 32))
        picked.add(name)
    assert len(picked) == 2
    weights = {"free_form": 0.5, "strokes": 0.3, "rectangles": 0.2}
    one, other = mixture(weights).train, mixture(dict(reversed(weights.items()))).train
    for seed in range(10):  # the order of the weights does not matter
        np.testing.assert_array_equal(*(source.draw(np.random.default_rng(seed), 32) for source in (one, other)))


def test_only_parts_that_reach_a_bucket_fill_it():
    source = mixture({"half": 0.9, "rectangles": 0.1}).held_out
    in_half = source.fixed(32, Bucket(0.4, 0.5), 10, seed=0)
    halves = [hole for hole in in_half if any(np.array_equal(hole, half(side, 32)) for side in SIDES)]
    assert len(halves) >= 9
    elsewhere = source.fixed(32, Bucket(0.1, 0.2), 10, seed=0)
    alone = open_holes({"name": "rectangles"}).held_out.fixed(32, Bucket(0.1, 0.2), 10, 0)
    np.testing.assert_array_equal(elsewhere, alone)
    assert mixture({"half": 1.0}).held_out.fixed(32, Bucket(0.1, 0.2), 10, seed=0).shape == (0, 32, 32)


def test_a_stock_that_runs_out_is_made_up_for(tmp_path):
    for i in range(6):
        grey = np.zeros((20, 20), np.uint8)
        grey[: 3 + (i % 2), : 12 + i] = 255
        Image.fromarray(grey).save(tmp_path / f"{i}.png")
    parts, all_, any_ = {"mask_folder": {"path": str(tmp_path)}}, {"ratio": (0.0, 1.0)}, Bucket(0.0, 1.0)
    holes = mixture({"mask_folder": 0.5, "rectangles": 0.5}, parts=parts, **all_).held_out.fixed(20, any_, 20, seed=0)
    assert len(holes) == 20
    folder = open_holes({"name": "mask_folder", **all_, **parts["mask_folder"]}).held_out
    stock = {hole.tobytes() for hole in folder.fixed(20, any_, 0, seed=0)}
    assert len(stock) == 3
    assert sum(hole.tobytes() in stock for hole in holes) == 3
    alone = mixture({"mask_folder": 1.0}, parts=parts, **all_).held_out
    assert [len(alone.fixed(20, any_, count, seed=0)) for count in (20, 0)] == [3, 3]


def test_sharing_out_is_exact_and_steady():
    assert [share_out((5, 3, 2), (9, 9, 9), 10).count(i) for i in range(3)] == [5, 3, 2]
    assert share_out((5, 3, 2), (99, 99, 99), 40)[:10] == share_out((5, 3, 2), (99, 99, 99), 10)
    assert share_out((1, 1), (1, 9), 5) == [0, 1, 1, 1, 1]
    assert share_out((1, 1), (1, 2), 5) == [0, 1, 1]
    assert share_out((1,), (0,), 5) == []
    source = mixture({"free_form": 0.5, "strokes": 0.3, "rectangles": 0.2}).held_out
    for bucket in BUCKETS:
        holes = source.fixed(32, bucket, 20, seed=4)
        assert len(holes) == 20
        assert all(hole.mean() in bucket for hole in holes)
        mine = {hole.tobytes() for hole in holes}
        for name, count in (("free_form", 10), ("strokes", 6), ("rectangles", 4)):
            alone = open_holes({"name": name}).held_out.fixed(32, bucket, count, seed=4)
            assert {hole.tobytes() for hole in alone} <= mine
        np.testing.assert_array_equal(source.fixed(32, bucket, 7, seed=4), holes[:7])


def test_parts_take_their_own_settings_and_refuse_on_the_first_draw():
    source = mixture({"half": 1.0}, parts={"half": {"sides": ("top",)}}).train
    assert source.draw(np.random.default_rng(0), 8)[:4].all()
    assert "100% the top half" in source.description
    source = mixture({"rectangles": 0.999999, "half": 0.000001}, ratio=(0.1, 0.49)).train
    with pytest.raises(UserError, match="a half of 8x8"):
        source.draw(np.random.default_rng(0), 8)


@pytest.mark.parametrize(
    ("weights", "parts", "message"),
    [
        ({}, {}, "names no source"),
        ({"half": 0.0}, {}, "names no source"),
        ({"free_fom": 1.0}, {}, r"weights has no 'free_fom', did you mean 'free_form'"),
        ({"api": 1.0}, {}, r"weights has no 'api'"),
        ({"mixture": 1.0}, {}, "cannot hold itself"),
        ({"half": -1.0, "border": 2.0}, {}, r"weights\.half must be at least 0"),
        ({"half": float("nan")}, {}, r"weights\.half must be at least 0"),
        ({"half": "much"}, {}, r"weights\.half must be float"),
        ([0.5, 0.5], {}, r"config\.holes\.weights must be"),
        ({"border": 1.0}, {"borders": {}}, r"parts\.borders has no weight, did you mean 'border'"),
        ({"half": 1.0}, {"half": {"sidse": ("top",)}}, r"config\.holes\.sidse, did you mean 'sides'"),
    ],
)
def test_senseless_weights_and_parts_are_refused(weights, parts, message):
    with pytest.raises(UserError, match=message):
        mixture(weights, parts=parts)
