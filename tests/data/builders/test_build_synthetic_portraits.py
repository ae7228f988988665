"""Drawn portraits, built: the same pixels as the source that draws them."""

import miniatures
import numpy as np
import pytest

from scan_jax.data.api import open_data
from scan_jax.data.builders import synthetic_portraits
from scan_jax.data.builders.synthetic_portraits import Settings
from scan_jax.errors import UserError
from scan_jax.part_names import CELEBAMASK_HQ


def test_the_same_pixels_as_the_source_of_that_name(tmp_path):
    section = {"size": 64, "count": 5, "held_out": 3, "seed": 7}
    plan = synthetic_portraits.plan(Settings(**section))
    dataset = miniatures.built(plan, tmp_path, jobs=3)
    assert (dataset.label_names, dataset.flip_pairs) == (CELEBAMASK_HQ, ((4, 5), (6, 7), (8, 9)))
    drawn = open_data({"name": "synthetic_portraits", **section})
    built = open_data({**plan.usage, "data_dir": str(tmp_path)})
    for one, other in ((drawn.train, built.train), (drawn.held_out, built.held_out)):
        assert len(one) == len(other) and one.num_labels == other.num_labels and one.flip_pairs == other.flip_pairs
        for i in range(len(one)):
            for key in ("image", "labels"):
                np.testing.assert_array_equal(one[i][key], other[i][key], err_msg=f"{i} {key}")
                assert one[i][key].dtype == other[i][key].dtype


def test_another_seed_is_another_dataset(tmp_path):
    plans = [synthetic_portraits.plan(Settings(size=64, count=2, held_out=1, seed=seed)) for seed in (0, 1)]
    first, second = (miniatures.built(plan, tmp_path) for plan in plans)
    assert first.folder != second.folder and first.digests != second.digests


def test_a_larger_count_leaves_the_held_out_ones(tmp_path):
    few, more = (
        miniatures.built(synthetic_portraits.plan(Settings(size=64, count=count, held_out=2)), tmp_path)
        for count in (2, 3)
    )
    assert few.digests["test"] == more.digests["test"]
    assert list(miniatures.pixels(more, "train"))[:2] == list(miniatures.pixels(few, "train"))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"held_out": 0}, {"seed": -1}, {"size": 32}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UserError, match="must be"):
        synthetic_portraits.plan(Settings(**({"size": 64} | wrong)))
