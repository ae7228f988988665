"""Matching and voting of patches, against loops in float64."""

import jax
import numpy as np
import pytest

from scan_jax.ops import patch_match
from scan_jax.ops.patch_match import CHUNK, REACH, SIDE


def scene(seed=0, shape=(24, 31)):
    rng = np.random.default_rng(seed)
    image = rng.random((*shape, 3), np.float32)
    sources = np.zeros(shape, bool)
    sources[REACH:-REACH, REACH : shape[1] // 2] = True
    targets = np.stack([rng.integers(0, length, CHUNK) for length in shape], axis=-1).astype(np.int32)
    return image, sources, targets


def patch(image, place):
    around = np.pad(image.astype(np.float64), ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect")
    return around[place[0] : place[0] + SIDE, place[1] : place[1] + SIDE].ravel()


def test_every_pair_is_compared():
    image, sources, targets = scene()
    found, far = map(np.asarray, patch_match.search_all(image, sources, targets))
    candidates = np.argwhere(sources)
    vectors = np.stack([patch(image, place) for place in candidates])
    for target, place, distance in zip(targets[:40], found, far):
        distances = ((vectors - patch(image, target)) ** 2).sum(axis=1)
        np.testing.assert_array_equal(place, candidates[distances.argmin()])
        np.testing.assert_allclose(distance, distances.min(), atol=1e-4)


def test_the_near_search_never_gets_worse_takes_sources_alone_and_follows_its_neighbours():
    image, sources, targets = scene(1)
    field = np.full((*sources.shape, 2), -1, np.int32)
    begin = np.argwhere(sources)[np.random.default_rng(2).integers(0, sources.sum(), len(targets))]
    field[tuple(targets.T)] = begin
    begin = field[tuple(targets.T)]  # a target may occur twice
    found, far = map(np.asarray, patch_match.search_near(image, sources, field, targets, jax.random.key(0)))
    assert sources[tuple(found.T)].all()
    before = [((patch(image, a) - patch(image, b)) ** 2).sum() for a, b in zip(targets, begin)]
    after = [((patch(image, a) - patch(image, b)) ** 2).sum() for a, b in zip(targets, found)]
    np.testing.assert_allclose(far, after, rtol=1e-4)
    assert (np.array(after) <= np.array(before) + 1e-5).all() and np.mean(after) < 0.9 * np.mean(before)

    tiled = np.tile(image[:, :15], (1, 3, 1))[:, :31]  # repeats every 15 columns: one right match leads to all others
    row = np.stack([np.full(12, 12), np.arange(16, 28)], axis=-1).astype(np.int32)
    field = np.full((*sources.shape, 2), -1, np.int32)
    field[tuple(row.T)] = (12, 4)
    field[12, 20] = (12, 5)
    found, far = map(np.asarray, patch_match.search_near(tiled, sources, field, row, jax.random.key(0), rounds=6))
    reachable = row[:, 1] - 15 < sources.shape[1] // 2
    np.testing.assert_array_equal(found[reachable][2:], (row - (0, 15))[reachable][2:])


@pytest.mark.parametrize("seed", range(2))
def test_a_vote_is_the_weighted_mean_of_the_patches_over_a_pixel(seed):
    image, sources, _ = scene(seed)
    rng = np.random.default_rng(seed)
    hole = np.zeros(sources.shape, bool)
    hole[8:16, 18:29] = True
    weight = rng.random(sources.shape).astype(np.float32) * (rng.random(sources.shape) < 0.5)
    field = np.argwhere(sources)[rng.integers(0, sources.sum(), sources.shape)].astype(np.int32)
    found = np.asarray(patch_match.vote(image, hole, field, weight))
    expected = image.astype(np.float64)
    for row, column in np.argwhere(hole):
        values, shares = [], []
        for dy in range(-REACH, REACH + 1):
            for dx in range(-REACH, REACH + 1):
                centre = row - dy, column - dx
                if 0 <= centre[0] < 24 and 0 <= centre[1] < 31 and weight[centre]:
                    values.append(image[tuple(field[centre] + (dy, dx))])
                    shares.append(weight[centre])
        expected[row, column] = np.average(np.array(values, np.float64), axis=0, weights=shares)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(patch_match.vote(image, hole, field, 0 * weight)), image)
