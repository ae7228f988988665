"""Drawn portraits as a source, digests and splits, and built: the same pixels."""

import miniatures
import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.data.api import open_data
from scan_jax.data.builders.synthetic_portraits import SyntheticPortraits
from scan_jax.data.synthetic_portraits import portraits
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES


def test_the_same_pixels_as_the_source_of_that_name(tmp_path):
    section = {"size": 64, "count": 3, "held_out": 2, "seed": 7}
    plan = SyntheticPortraits(**section).plan()
    dataset = miniatures.built(plan, tmp_path)
    assert (dataset.label_names, dataset.flip_pairs) == (CELEBAMASK_HQ_NAMES, ((4, 5), (6, 7), (8, 9)))
    drawn = open_data({"name": "synthetic_portraits", **section})
    built = open_data({**plan.usage, "data_dir": str(tmp_path)})
    for one, other in ((drawn.train, built.train), (drawn.held_out, built.held_out)):
        assert len(one) == len(other) and one.num_labels == other.num_labels and one.flip_pairs == other.flip_pairs
        for i in range(len(one)):
            for key in ("image", "labels"):
                np.testing.assert_array_equal(one[i][key], other[i][key], err_msg=f"{i} {key}")
                assert one[i][key].dtype == other[i][key].dtype


def test_another_seed_or_count_is_another_dataset_and_a_larger_count_leaves_the_held_out_ones(tmp_path):
    few, more, other = (
        miniatures.built(SyntheticPortraits(size=64, count=count, held_out=1, seed=seed).plan(), tmp_path)
        for count, seed in ((2, 0), (3, 0), (2, 1))
    )
    assert few.folder != other.folder and few.digests != other.digests
    assert few.digests["test"] == more.digests["test"]
    assert list(miniatures.pixels(more, "train"))[:2] == list(miniatures.pixels(few, "train"))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"held_out": 0}, {"seed": -1}, {"size": 32}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UserError, match="must be"):
        SyntheticPortraits(**({"size": 64} | wrong)).plan()


def test_synthetic_digests_tell_portraits_apart():
    sources = [
        portraits(seed, indices, size)
        for seed, indices, size in ((0, range(9), 8), (1, range(9), 8), (0, range(8), 8), (0, range(9), 9))
    ]
    assert len({source.digest for source in sources}) == 4


def test_held_out_portraits_are_never_trained_on():
    splits = open_data({"name": "synthetic_portraits", "size": 16, "count": 12, "held_out": 5})
    more = open_data({"name": "synthetic_portraits", "size": 16, "count": 30, "held_out": 5})
    assert (len(splits.train), len(splits.held_out)) == (12, 5)
    held_out = {splits.held_out[i]["image"].tobytes() for i in range(5)}
    assert held_out == {more.held_out[i]["image"].tobytes() for i in range(5)}
    assert len(held_out) == 5
    assert not held_out & {more.train[i]["image"].tobytes() for i in range(30)}
    assert splits.train[0]["labels"].shape == (16, 16)
