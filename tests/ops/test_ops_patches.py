"""Drawing positions (membership, distinctness, uniformity) and cutting patches."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.patches import extract_patches, sample_positions

draw = functools.partial(jax.jit, static_argnames="count")(sample_positions)


def random_region(*shape, share=0.4, seed=0):
    return (np.random.default_rng(seed).random(shape) < share).astype(np.float32)


def rows_of(positions):
    return [tuple(position) for position in np.asarray(positions).tolist()]


@pytest.mark.parametrize("count", [1, 5, 33])
def test_positions_lie_in_the_region_and_are_distinct_where_there_are_enough(count):
    shares = np.repeat([0.03, 0.3, 1.0], 16)[:, None, None]
    region = random_region(48, 13, 11, share=shares)
    region[::16] = 0
    positions, usable = draw(jax.random.key(count), region, count=count)
    assert positions.shape == (48, count, 2) and positions.dtype == jnp.int32 and usable.dtype == jnp.bool_
    for sample in range(48):
        drawn, size = rows_of(positions[sample]), int(region[sample].sum())
        assert np.all(np.asarray(usable[sample]) == (size > 0))
        if size == 0:
            assert set(drawn) == {(0, 0)}
            continue
        assert all(region[sample][position] == 1 for position in drawn)
        if size >= count:
            assert len(set(drawn)) == count


def chi_square(counts):
    expected = counts.sum() / counts.size
    return np.square(counts - expected).sum() / expected


def triples(members, seed):
    """Six thousand draws of three of these pixels."""
    region = np.zeros((6000, 5, 5), np.float32)
    region[:, *np.transpose(members)] = 1
    positions, usable = draw(jax.random.key(seed), region, count=3)
    assert np.all(usable)
    return [rows_of(drawn) for drawn in np.asarray(positions)]


def test_every_subset_is_equally_likely():
    members = [(0, 1), (0, 3), (1, 0), (2, 1), (2, 2), (4, 4)]
    subsets = {frozenset(subset): i for i, subset in enumerate(itertools.combinations(members, 3))}
    tally = np.bincount([subsets[frozenset(drawn)] for drawn in triples(members, seed=7)], minlength=20)
    # 19 degrees of freedom: beyond 43.8 one time in a thousand; the seed is fixed
    assert chi_square(tally) < 43.8


def test_a_region_of_just_enough_pixels_is_drawn_whole_and_draws_with_replacement_are_uniform():
    members = [(1, 1), (3, 0), (4, 4)]
    assert all(sorted(drawn) == members for drawn in triples(members, seed=0))
    again = [pixel for drawn in triples(members[1:], seed=5) for pixel in drawn]
    # 1 degree of freedom: beyond 10.8 one time in a thousand
    assert chi_square(np.array([again.count(pixel) for pixel in members[1:]])) < 10.8
    assert set(again) == set(members[1:])


def test_every_pixel_of_a_large_region_is_equally_likely():
    region, draws, count = random_region(1, 17, 23, share=0.5), 3000, 32
    positions, _ = draw(jax.random.key(3), np.repeat(region, draws, axis=0), count=count)
    tally, size = np.zeros(region.shape[1:]), int(region.sum())
    np.add.at(tally, tuple(np.asarray(positions).reshape(-1, 2).T), 1)
    assert tally[region[0] == 0].sum() == 0
    # draws without replacement scatter less than the multinomial's by (size - count) / (size - 1)
    statistic = chi_square(tally[region[0] == 1]) / ((size - count) / (size - 1))
    assert abs(statistic - (size - 1)) < 4 * np.sqrt(2 * (size - 1))


def test_keys_alone_decide():
    region = random_region(3, 9, 10)
    keys = jnp.stack([jax.random.key(1)] * 3)  # equal keys draw equally, wherever the sample stands
    together, turned = (draw(keys, given, count=8)[0] for given in (region, region[::-1].copy()))
    np.testing.assert_array_equal(together, turned[::-1])
    positions, again, untyped = (  # one key draws differently for each sample, and repeats
        np.asarray(draw(key(0), np.ones_like(region), count=8)[0])
        for key in (jax.random.key, jax.random.key, jax.random.PRNGKey)
    )
    np.testing.assert_array_equal(positions, again)
    np.testing.assert_array_equal(positions, untyped)
    assert not np.array_equal(positions[0], positions[1])


def test_nothing_is_sorted():
    text = draw.lower(jax.random.key(0), jnp.zeros((2, 64, 64)), count=16).as_text()
    assert "stablehlo.sort" not in text and "top_k" not in text


def test_patches_are_the_windows_of_the_zero_padded_map_and_gradients_add_up_where_they_overlap():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 5, 3)).astype(np.float32)
    positions = np.int32([[[0, 0], [5, 4], [2, 3], [0, 4]], [[5, 0], [1, 1], [1, 1], [3, 2]]])
    directions = [rng.normal(size=(2, 4, size, size, 3)).astype(np.float32) for size in (1, 3, 5)]

    @jax.jit
    def run(x):
        pairs = [jax.vjp(lambda x, n=d.shape[2]: extract_patches(x, positions, n), x) for d in directions]
        return [(patches, pull(d)[0]) for (patches, pull), d in zip(pairs, directions, strict=True)]

    for (patches, slope), direction in zip(run(x), directions, strict=True):
        size = direction.shape[2]
        padded = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
        wanted = np.zeros_like(padded)
        for sample, i in np.ndindex(2, 4):
            row, column = positions[sample, i]
            window = np.s_[sample, row : row + size, column : column + size]
            np.testing.assert_array_equal(patches[sample, i], padded[window])
            wanted[window] += direction[sample, i]
        inside = wanted[:, size // 2 : size // 2 + 6, size // 2 : size // 2 + 5]
        np.testing.assert_allclose(slope, inside, atol=1e-5)
    half = jax.eval_shape(lambda x: extract_patches(x, positions, 3), x.astype(jnp.bfloat16))
    assert half.shape == (2, 4, 3, 3, 3) and half.dtype == jnp.bfloat16


def test_wrong_inputs_are_named():
    key, region, x = jax.random.key(0), np.ones((2, 4, 4)), np.zeros((2, 4, 4, 3))
    at = np.zeros((2, 3, 2), np.int32)
    refused("must be", sample_positions, (key, region[..., None], 3), (key, region, 0))
    refused("must be", sample_positions, (jax.random.split(key, 3), region, 3))
    wrong = (x, at[:1], 3), (x, np.zeros((2, 3, 3), np.int32), 3), (x[0], at, 3), (x, at, 2)
    refused("must be", extract_patches, *wrong)
