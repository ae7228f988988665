"""The drawn portraits as a source of photographs: digests and splits."""

import numpy as np
import pytest

from scan_jax.data.api import open_data
from scan_jax.data.synthetic_portraits import SyntheticPortraits
from scan_jax.errors import UserError

SIZE = 16


def draw_stand_in(seed, index, size):
    image = np.full((size, size, 3), index, np.uint8)
    return image, np.full((size, size), index % 19, np.uint8)


def test_synthetic_digests_tell_portraits_apart():
    sources = [
        SyntheticPortraits(draw_stand_in, seed, indices, size)
        for seed, indices, size in ((0, range(9), 8), (1, range(9), 8), (0, range(8), 8), (0, range(9), 9))
    ]
    assert len({source.digest for source in sources}) == 4


def test_held_out_portraits_are_never_trained_on():
    splits = open_data({"name": "synthetic_portraits", "size": SIZE, "count": 12, "held_out": 5})
    more = open_data({"name": "synthetic_portraits", "size": SIZE, "count": 30, "held_out": 5})
    assert (len(splits.train), len(splits.held_out)) == (12, 5)
    held_out = {splits.held_out[i]["image"].tobytes() for i in range(5)}
    assert held_out == {more.held_out[i]["image"].tobytes() for i in range(5)}
    assert len(held_out) == 5
    assert not held_out & {more.train[i]["image"].tobytes() for i in range(30)}
    assert splits.train[0]["labels"].shape == (SIZE, SIZE)
    for section in ({"count": 0}, {"held_out": 0}, {"seed": -1}):
        with pytest.raises(UserError, match="must be positive"):
            open_data({"name": "synthetic_portraits", "size": SIZE} | section)
