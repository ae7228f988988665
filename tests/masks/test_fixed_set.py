"""The frozen evaluation holes."""

import hashlib
import logging

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import BUCKETS, BUCKETS_FROM_ZERO, Bucket

# Numbers are quoted on these holes: where a digest changes, so does what they mean.
DIGESTS = {
    "free_form": "cc2f82cc34345408043575f1e27601e8d428d87bc8e554eeef38b7ae13cfcba6",
    "rectangles": "10a10cf3ab778aa9fd77078fed25d96110fb39ebd43ebb888d3d68ab7202279e",
    "strokes": "774b711ccff31959bd79d463810693d8f8f31df41140f0c66043209c571bc433",
    "mixture": "75679f9e0b4d770d52c7a74cccf35a055742b7c193ba1b511811e43c36268d80",
}
FEW = {  # sources that do not reach every bucket at 32x32
    "border": "6aa5465bf590cb097c6b17bf1fd8116f2f59241eebe2981929a351943ca312f4",
    "half": "39aa46fcb73cc0351ff964a7c2721f7df36e911b1fb4204f2ec87dc37f97c8c2",
}


@pytest.mark.parametrize("name", DIGESTS | FEW)
def test_the_holes_are_the_same_on_every_machine(name):
    frozen = fixed_set(open_holes({"name": name, "ratio": (0.0, 1.0)}).held_out, 32, BUCKETS_FROM_ZERO, 4, seed=1)
    assert frozen.digest == (DIGESTS | FEW)[name]


def test_hard_draws_are_the_same_on_every_machine():
    hasher = hashlib.sha256()
    for ratio in ((0.1, 0.6), (0.5, 0.6), (0.3333, 0.334)):
        rng = np.random.Generator(np.random.Philox(7))
        source = open_holes({"name": "free_form", "ratio": ratio}).train
        for _ in range(5):
            hasher.update(np.packbits(source.draw(rng, 96)).tobytes())
        hasher.update(str(rng.random()).encode())  # just as much chance was used
    assert hasher.hexdigest() == "54189ff9c5a458f16eeeddd2bbb0495d0f57be5ea3d8b726b29db68d80cc9f2c"


@pytest.mark.parametrize("name", DIGESTS)
def test_every_bucket_has_just_its_number(name):
    frozen = fixed_set(open_holes({"name": name, "ratio": (0.0, 1.0)}).held_out, 48, BUCKETS, 7)
    assert list(frozen.holes) == [bucket.label for bucket in BUCKETS]
    for bucket in BUCKETS:
        holes = frozen.holes[bucket.label]
        assert holes.shape == (7, 48, 48)
        assert all(hole.mean() in bucket for hole in holes)
        assert len({hole.tobytes() for hole in holes}) == 7


def test_a_hole_depends_on_seed_bucket_and_index_alone():
    source = open_holes({"name": "free_form"}).held_out
    many = fixed_set(source, 32, BUCKETS, 6, seed=2)
    few = fixed_set(source, 32, BUCKETS[2:3], 3, seed=2)
    np.testing.assert_array_equal(few.holes["30-40%"], many.holes["30-40%"][:3])
    assert few.digest != many.digest
    assert fixed_set(source, 32, BUCKETS, 6, seed=3).digest != many.digest


def test_buckets_out_of_reach_are_left_out_and_said(caplog):
    source = open_holes({"name": "rectangles", "ratio": (0.05, 0.25)}).held_out
    with caplog.at_level(logging.WARNING):
        frozen = fixed_set(source, 32, BUCKETS_FROM_ZERO, 5)
    assert list(frozen.holes) == ["0-10%", "10-20%", "20-30%"]
    assert [hole.mean() > 0.05 for hole in frozen.holes["0-10%"]] == [True] * 5
    assert [hole.mean() <= 0.25 for hole in frozen.holes["20-30%"]] == [True] * 5
    said = [record.getMessage().split(":")[0] for record in caplog.records]
    assert said == [f"no hole in bucket {label}" for label in ("30-40%", "40-50%", "50-60%")]


@pytest.mark.parametrize(
    ("ratio", "count", "match"),
    [((0.7, 0.9), 5, "no hole to evaluate on in 10-20%"), ((0.1, 0.6), -1, "a count per bucket from 0 on, not -1")],
)
def test_sets_of_no_holes_are_refused(ratio, count, match):
    with pytest.raises(UserError, match=match):
        fixed_set(open_holes({"name": "rectangles", "ratio": ratio}).held_out, 32, BUCKETS, count)


@pytest.mark.parametrize("name", ["rectangles", "free_form", "mixture"])
def test_of_drawn_holes_which_have_no_end_all_are_fifty_of_each_kind(name):
    source = open_holes({"name": name, "ratio": (0.1, 0.6)}).held_out
    holes = fixed_set(source, 16, (Bucket(0.2, 0.3),), 0).holes["20-30%"]
    each = [part.fixed(16, Bucket(0.2, 0.3), 50, 0) for part in getattr(source, "parts", [source])]
    np.testing.assert_array_equal(holes, np.concatenate(each))


def test_a_folder_gives_its_files_in_order(tmp_path):
    for i, row in enumerate((3, 9, 4, 12, 5, 10, 6, 2)):  # of 20; the odd places are held out: 9, 12, 10, 2
        Image.fromarray(np.uint8(255) * (np.mgrid[:20, :20][0] < row)).save(tmp_path / f"{i}.png")
    source = open_holes({"name": "mask_folder", "path": str(tmp_path), "ratio": (0.0, 0.6)}).held_out
    everything = fixed_set(source, 20, (Bucket(0.0, 0.1), Bucket(0.4, 0.6)), per_bucket=0)
    assert [[int(hole[:, 0].sum()) for hole in holes] for holes in everything.holes.values()] == [[2], [9, 12, 10]]
    limited = fixed_set(source, 20, (Bucket(0.4, 0.6),), per_bucket=2)
    np.testing.assert_array_equal(limited.holes["40-60%"], everything.holes["40-60%"][:2])
