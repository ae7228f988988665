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
    section = {"size": 64, "count": 3, "held_out": 2, "seed": 7}
    plan = synthetic_portraits.plan(Settings(**section))
    dataset = miniatures.built(plan, tmp_path)
    assert (dataset.label_names, dataset.flip_pairs) == (CELEBAMASK_HQ, ((4, 5), (6, 7), (8, 9)))
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
        miniatures.built(synthetic_portraits.plan(Settings(size=64, count=count, held_out=1, seed=seed)), tmp_path)
        for count, seed in ((2, 0), (3, 0), (2, 1))
    )
    assert few.folder != other.folder and few.digests != other.digests
    assert few.digests["test"] == more.digests["test"]
    assert list(miniatures.pixels(more, "train"))[:2] == list(miniatures.pixels(few, "train"))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"held_out": 0}, {"seed": -1}, {"size": 32}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UserError, match="must be"):
        synthetic_portraits.plan(Settings(**({"size": 64} | wrong)))
