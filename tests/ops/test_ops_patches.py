"""Drawing positions (membership, distinctness, uniformity) and cutting patches."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.patches import extract_patches, sample_positions

draw = functools.partial(jax.jit, static_argnames="count")(sample_positions)


def random_region(*shape, share=0.4, seed=0):
    return (np.random.default_rng(seed).random(shape) < share).astype(np.float32)


def rows_of(positions):
    return [tuple(position) for position in np.asarray(positions).tolist()]


@pytest.mark.parametrize("count", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
def test_positions_lie_in_the_region_and_are_distinct_where_there_are_enough(count, share):
    region = random_region(16, 13, 11, share=share)
    region[0] = 0
    positions, usable = draw(jax.random.key(count), region, count=count)
    assert positions.shape == (16, count, 2) and positions.dtype == jnp.int32 and usable.dtype == jnp.bool_
    for sample in range(16):
        drawn, size = rows_of(positions[sample]), int(region[sample].sum())
        assert np.all(np.asarray(usable[sample]) == (size > 0))
        if size == 0:
            assert set(drawn) == {(0, 0)}
            continue
        assert all(region[sample][position] == 1 for position in drawn)
        if size >= count:
            assert len(set(drawn)) == count


def test_a_region_of_just_enough_pixels_is_drawn_whole():
    region = np.zeros((1, 9, 7), np.float32)
    members = [(0, 0), (0, 6), (3, 2), (8, 0), (8, 6), (4, 4)]
    for position in members:
        region[0][position] = 1
    for seed in range(20):
        positions, _ = draw(jax.random.key(seed), region, count=6)
        assert sorted(rows_of(positions[0])) == sorted(members)


def chi_square(counts):
    expected = counts.sum() / counts.size
    return np.square(counts - expected).sum() / expected


def test_every_subset_is_equally_likely():
    region = np.zeros((1, 3, 4), np.float32)
    members = [(0, 1), (0, 3), (1, 0), (2, 1), (2, 2), (2, 3)]
    for position in members:
        region[0][position] = 1
    draws = 6000
    positions, _ = draw(jax.random.key(7), np.repeat(region, draws, axis=0), count=3)
    subsets = {frozenset(subset): i for i, subset in enumerate(itertools.combinations(members, 3))}
    tally = np.bincount([subsets[frozenset(rows_of(p))] for p in np.asarray(positions)], minlength=20)
    # 19 degrees of freedom: beyond 43.8 one time in a thousand; the seed is fixed
    assert chi_square(tally) < 43.8


def test_every_pixel_of_a_large_region_is_equally_likely():
    region = random_region(1, 17, 23, share=0.5)
    size, draws, count = int(region.sum()), 3000, 32
    positions, _ = draw(jax.random.key(3), np.repeat(region, draws, axis=0), count=count)
    tally = np.zeros(region.shape[1:])
    np.add.at(tally, tuple(np.asarray(positions).reshape(-1, 2).T), 1)
    assert tally[region[0] == 0].sum() == 0
    freedom = size - 1
    # draws without replacement scatter less than the multinomial's by (size - count) / (size - 1)
    statistic = chi_square(tally[region[0] == 1]) / ((size - count) / (size - 1))
    assert abs(statistic - freedom) < 4 * np.sqrt(2 * freedom)


def test_draws_with_replacement_are_uniform():
    region = np.zeros((1, 5, 5), np.float32)
    region[0, 1, 1] = region[0, 3, 0] = region[0, 4, 4] = 1
    positions, usable = draw(jax.random.key(5), np.repeat(region, 1000, axis=0), count=4)
    tally = np.zeros((5, 5))
    np.add.at(tally, tuple(np.asarray(positions).reshape(-1, 2).T), 1)
    assert np.all(usable) and chi_square(tally[region[0] == 1]) < 13.8  # 2 degrees of freedom, one in a thousand


def test_equal_keys_draw_equally_wherever_the_sample_stands():
    region = random_region(3, 9, 10)
    keys = jnp.stack([jax.random.key(1)] * 3)
    together, _ = draw(keys, region, count=8)
    alone, _ = draw(keys[:1], region[2:], count=8)
    turned, _ = draw(keys, region[::-1].copy(), count=8)
    np.testing.assert_array_equal(together[2:], alone)
    np.testing.assert_array_equal(together, turned[::-1])


def test_one_key_draws_differently_for_each_sample_and_repeats():
    region = np.ones((2, 32, 32), np.float32)
    positions, _ = draw(jax.random.key(0), region, count=8)
    again, _ = draw(jax.random.key(0), region, count=8)
    untyped, _ = draw(jax.random.PRNGKey(0), region, count=8)
    np.testing.assert_array_equal(positions, again)
    np.testing.assert_array_equal(positions, untyped)
    assert not np.array_equal(positions[0], positions[1])


def test_nothing_is_sorted():
    text = draw.lower(jax.random.key(0), jnp.zeros((2, 64, 64)), count=16).as_text()
    assert "stablehlo.sort" not in text and "top_k" not in text


@pytest.mark.parametrize("size", [1, 3, 5])
def test_patches_are_the_windows_of_the_zero_padded_map(size):
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype(np.float32)
    positions = np.array(
        [[[0, 0], [5, 4], [2, 3], [0, 4]], [[5, 0], [1, 1], [1, 1], [3, 2]]],
        np.int32,
    )
    patches = extract_patches(x, positions, size)
    padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    for sample, i in np.ndindex(2, 4):
        row, column = positions[sample, i]
        np.testing.assert_array_equal(patches[sample, i], padded[sample, row : row + size, column : column + size])
    assert patches.shape == (2, 4, size, size, 3)
    assert extract_patches(jnp.bfloat16(x), positions, size).dtype == jnp.bfloat16


def test_patch_gradients_add_up_where_patches_overlap():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype(np.float32)
    positions = jnp.array([[[0, 0], [1, 1], [1, 1]], [[3, 4], [3, 3], [0, 2]]], jnp.int32)
    check_grads(
        jax.jit(lambda x: extract_patches(x, positions, 3)), (x,), 1, modes=["fwd", "rev"], atol=1e-2, rtol=1e-2
    )
    covered = jax.grad(lambda x: jnp.sum(extract_patches(x, positions, 3)))(x)[..., 0]
    oracle = np.zeros((2, 4, 5))
    for sample, i in np.ndindex(2, 3):
        row, column = np.asarray(positions)[sample, i]
        oracle[sample, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] += 1
    np.testing.assert_array_equal(covered, oracle)


def test_wrong_inputs_are_named():
    key, region, x = jax.random.key(0), jnp.ones((2, 4, 4)), jnp.zeros((2, 4, 4, 3))
    for run in (
        lambda: sample_positions(key, jnp.ones((2, 4, 4, 1)), 3),
        lambda: sample_positions(key, region, 0),
        lambda: sample_positions(jax.random.split(key, 3), region, 3),
        lambda: extract_patches(x, jnp.zeros((1, 3, 2), jnp.int32), 3),
        lambda: extract_patches(x, jnp.zeros((2, 3, 3), jnp.int32), 3),
        lambda: extract_patches(x[0], jnp.zeros((2, 3, 2), jnp.int32), 3),
        lambda: extract_patches(x, jnp.zeros((2, 3, 2), jnp.int32), 2),
    ):
        with pytest.raises(ValueError, match="must be"):
            run()
