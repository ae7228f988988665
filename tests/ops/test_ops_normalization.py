"""Normalisation by regions and groups against float64 NumPy written from SCAN's eq. (3), both readings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.normalization import group_normalize, region_normalize

READINGS = ("product", "weighted")
jit_by_reading = functools.partial(jax.jit, static_argnames="statistics")
region_normalize_jit, group_normalize_jit = jit_by_reading(region_normalize), jit_by_reading(group_normalize)
BOTH = pytest.mark.parametrize("normalize,per_channel", [(region_normalize_jit, False), (group_normalize_jit, True)])


def eq3(x, weights, statistics):
    """sum_i (X - mu_i) / (sigma_i + eps) * S_i, S of positions [B,H,W,N] or channels [B,C,N]; in NumPy or JAX."""
    axes, place = ((1, 2, 3), np.s_[:, None, None]) if weights.ndim == 3 else ((1, 2), np.s_[..., None, :])
    x = x[..., None]
    weights = weights[place] * (0 * x + 1)  # [B,H,W,C,N]
    if statistics == "product":
        mean, variance = (x * weights).mean(axes, keepdims=True), (x * weights).var(axes, keepdims=True)
    else:
        share = weights / weights.sum(axes, keepdims=True)
        mean = (share * x).sum(axes, keepdims=True)
        variance = (share * (x - mean) ** 2).sum(axes, keepdims=True)
    return ((x - mean) / (variance**0.5 + 1e-5) * weights).sum(-1)


def oracle(x, weights, statistics):
    return eq3(np.float64(x), np.float64(weights), statistics)


def draw(shape, count, seed=0, mean=0.0, per_channel=False):
    """x with the given mean and deviation 1, and soft weights of its positions or of its channels."""
    rng = np.random.default_rng(seed)
    x = (mean + rng.normal(size=shape)).astype(np.float32)
    logits = 2 * rng.normal(size=(shape[0], shape[3], count) if per_channel else (*shape[:3], count))
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return x, weights.astype(np.float32)


def worst(result, oracle):
    """Largest error, as a share of the largest true value."""
    assert result.shape == oracle.shape
    return np.abs(np.float64(result) - oracle).max() / np.abs(oracle).max()


FEW, MANY = ((2, 7, 11, 5), 3), ((3, 32, 33, 8), 16)
CASES = [(region_normalize_jit, False, *case) for case in (FEW, ((1, 1, 13, 4), 1), MANY)]
CASES += [(group_normalize_jit, True, *case) for case in (FEW, ((1, 13, 1, 4), 1), ((3, 128, 129, 8), 4))]


@pytest.mark.parametrize("statistics", READINGS)
@pytest.mark.parametrize("normalize,per_channel,shape,count", CASES)
def test_it_is_eq3(normalize, per_channel, statistics, shape, count):
    for mean in (0.0, 100.0):
        x, weights = draw(shape, count, mean=mean, per_channel=per_channel)
        assert worst(normalize(x, weights, statistics=statistics), oracle(x, weights, statistics)) < 1e-4


def test_channels_far_apart_keep_their_digits():
    x, regions = draw(*MANY)
    x += np.float32([0, 100, -300, 1000, 0, 0, 0, 0])
    result, truth = region_normalize_jit(x, regions, statistics="weighted"), oracle(x, regions, "weighted")
    assert worst(result[..., :2], truth[..., :2]) < 1e-4
    assert worst(result, truth) < 1e-3


@BOTH
@pytest.mark.parametrize("statistics", READINGS)
def test_gradients_are_those_of_eq3_and_an_empty_region_drops_out(normalize, per_channel, statistics):
    x, weights = draw((2, 9, 7, 5), 4, mean=3.0, per_channel=per_channel)
    empty = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=-1)
    direction = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)

    def run(form, weights):
        total = jax.value_and_grad(lambda x, w: jnp.vdot(form(x, w, statistics=statistics), direction), argnums=(0, 1))
        return jax.jit(total)(x, weights)

    value, (to_x, to_weights) = run(normalize, empty)
    wanted, (wanted_to_x, wanted_to_weights) = run(eq3, weights)
    np.testing.assert_allclose(value, wanted, rtol=1e-4)
    assert worst(to_x, np.float64(wanted_to_x)) < 1e-4
    assert worst(to_weights[..., :4], np.float64(wanted_to_weights)) < 1e-4
    np.testing.assert_array_equal(to_weights[..., 4], 0.0)


@pytest.mark.parametrize("normalize,shape", [(region_normalize_jit, (1, 5, 7, 2)), (group_normalize_jit, (1, 3, 2))])
@pytest.mark.parametrize("statistics", READINGS)
def test_constant_maps_vanishing_weights_and_a_region_of_one_pixel_are_finite(normalize, shape, statistics):
    @jax.jit
    def run(x, weights):
        result, pull = jax.vjp(lambda x, w: normalize(x, w, statistics=statistics), x, weights)
        return result, pull(jnp.ones_like(result))

    for weight in (0.0, 1e-30, 1e-8, 1.0):
        result, slopes = run(np.full((1, 5, 7, 3), 0.5, np.float32), np.full(shape, weight, np.float32))
        assert np.isfinite(result).all() and all(np.isfinite(slope).all() for slope in slopes)
        if statistics == "weighted":
            np.testing.assert_allclose(result, 0.0, atol=1e-6)
    if normalize is region_normalize_jit:
        x, _ = draw((1, 5, 7, 3), 2)
        regions = np.ones(shape, np.float32)
        regions[..., 1], regions[0, 2, 3] = 0, (0, 1)
        result, slopes = run(x, regions)
        assert worst(result, oracle(x, regions, statistics)) < 1e-3
        assert np.isfinite(slopes[0]).all()


@BOTH
@pytest.mark.parametrize("statistics", READINGS)
def test_bfloat16_in_and_out_with_float32_statistics(normalize, per_channel, statistics):
    x, weights = draw((2, 64, 31, 4), 3, mean=4.0, per_channel=per_channel)
    x, weights = jnp.bfloat16(x), jnp.bfloat16(weights)
    result = normalize(x, weights, statistics=statistics)
    assert result.dtype == jnp.bfloat16
    # only the result is rounded: half a unit of bfloat16's 8 bits
    assert worst(result, oracle(np.float64(x), np.float64(weights), statistics)) < 2**-8


def test_memory_does_not_grow_with_a_map_per_region():
    def temporary(count):
        x, regions = jnp.zeros((1, 32, 32, 64)), jnp.zeros((1, 32, 32, count))
        program = region_normalize_jit.lower(x, regions, statistics="weighted")
        return program.compile().memory_analysis().temp_size_in_bytes

    assert temporary(16) < temporary(2) + 32 * 32 * 64 * 4  # one map more at most, not fourteen


def test_wrong_shapes_and_statistics_are_named():
    x, regions, groups = (np.zeros(shape) for shape in ((2, 4, 4, 3), (2, 4, 4, 2), (2, 3, 2)))
    wrong = (x, regions[:1]), (x, np.zeros((2, 4, 5, 2))), (x[0], regions[0])
    refused("must be", region_normalize, *wrong, statistics="weighted")
    wrong = (x, groups[:1]), (x, np.zeros((2, 4, 2))), (x, groups[0])
    refused("must be", group_normalize, *wrong, statistics="weighted")
    refused("'letter'", region_normalize, (x, regions), statistics="letter")
    refused("'letter'", group_normalize, (x, groups), statistics="letter")
