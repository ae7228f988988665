"""Normalisation by regions and groups against float64 NumPy written from SCAN's eq. (3), both readings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.normalization import group_normalize, region_normalize

READINGS = ("product", "weighted")
jit_by_reading = functools.partial(jax.jit, static_argnames="statistics")
region_normalize_jit, group_normalize_jit = jit_by_reading(region_normalize), jit_by_reading(group_normalize)
BOTH = pytest.mark.parametrize("normalize,per_channel", [(region_normalize_jit, False), (group_normalize_jit, True)])


def eq3(x, weights, axes, statistics, epsilon=1e-5):
    """sum_i (X - mu_i) / (sigma_i + eps) * S_i; x [...,1] and weights broadcast to [...,N], statistics over `axes`."""
    x, weights = np.float64(x), np.float64(weights)
    result = 0.0
    for i in range(weights.shape[-1]):
        values, share = x[..., 0], np.broadcast_to(weights[..., i], x.shape[:-1])
        if statistics == "product":
            mean = (values * share).mean(axes, keepdims=True)
            deviation = (values * share).std(axes, keepdims=True)
        else:
            total = share.sum(axes, keepdims=True)
            if not np.all(total > 0):
                assert np.all(total == 0)
                continue
            mean = (share * values).sum(axes, keepdims=True) / total
            deviation = np.sqrt((share * (values - mean) ** 2).sum(axes, keepdims=True) / total)
        result = result + (values - mean) / (deviation + epsilon) * share
    return result


def region_oracle(x, regions, statistics):
    return eq3(x[..., None], regions[..., None, :], (1, 2), statistics)


def group_oracle(x, groups, statistics):
    return eq3(x[..., None], groups[:, None, None], (1, 2, 3), statistics)


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


@pytest.mark.parametrize("statistics", READINGS)
@pytest.mark.parametrize("mean", [0.0, 100.0])
@pytest.mark.parametrize("shape,count", [((2, 7, 11, 5), 3), ((1, 1, 13, 4), 1), ((3, 32, 33, 8), 16)])
def test_region_normalize_is_eq3(statistics, mean, shape, count):
    x, regions = draw(shape, count, mean=mean)
    result = region_normalize_jit(x, regions, statistics=statistics)
    assert worst(result, region_oracle(x, regions, statistics)) < 1e-4


@pytest.mark.parametrize("statistics", READINGS)
@pytest.mark.parametrize("mean", [0.0, 100.0])
@pytest.mark.parametrize("shape,count", [((2, 7, 11, 5), 3), ((1, 13, 1, 4), 1), ((3, 128, 129, 8), 4)])
def test_group_normalize_is_eq3(statistics, mean, shape, count):
    x, groups = draw(shape, count, mean=mean, per_channel=True)
    result = group_normalize_jit(x, groups, statistics=statistics)
    assert worst(result, group_oracle(x, groups, statistics)) < 1e-4


def test_channels_far_apart_keep_their_digits():
    x, regions = draw((2, 64, 63, 4), 3)
    x += np.float32([0, 100, -300, 1000])
    result = region_normalize_jit(x, regions, statistics="weighted")
    oracle = region_oracle(x, regions, "weighted")
    assert worst(result[..., :2], oracle[..., :2]) < 1e-4
    assert worst(result, oracle) < 1e-3


@BOTH
@pytest.mark.parametrize("statistics", READINGS)
def test_gradients(normalize, per_channel, statistics):
    x, weights = draw((2, 4, 5, 4), 3, mean=1.0, per_channel=per_channel)
    check_grads(
        jax.jit(lambda x, w: normalize(x, w, statistics=statistics)),
        (x, weights),
        1,
        modes=["rev"],
        atol=2e-2,
        rtol=2e-2,
        eps=1e-2,
    )


@pytest.mark.parametrize("statistics", READINGS)
def test_region_gradient_is_that_of_the_literal_form(statistics):
    def literal(x, regions):
        values, weights = x[..., None], regions[..., None, :]  # [B,H,W,C,1], [B,H,W,1,N]
        share = weights / weights.sum((1, 2), keepdims=True)
        product = values * weights
        if statistics == "product":
            mean, variance = product.mean((1, 2), keepdims=True), product.var((1, 2), keepdims=True)
        else:
            mean = (share * values).sum((1, 2), keepdims=True)
            variance = (share * (values - mean) ** 2).sum((1, 2), keepdims=True)
        return ((values - mean) / (jnp.sqrt(variance) + 1e-5) * weights).sum(-1)

    x, regions = draw((2, 9, 7, 5), 4, mean=3.0)
    direction = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)

    def slopes(form):
        return jax.jit(jax.grad(lambda x, s: jnp.vdot(form(x, s), direction), argnums=(0, 1)))(x, regions)

    for fast, slow in zip(slopes(lambda x, s: region_normalize(x, s, statistics=statistics)), slopes(literal)):
        assert worst(fast, np.float64(slow)) < 1e-4


@BOTH
@pytest.mark.parametrize("statistics", READINGS)
def test_an_empty_region_drops_out(normalize, per_channel, statistics):
    x, weights = draw((2, 6, 5, 4), 3, per_channel=per_channel)
    empty = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=-1)

    def run(x, weights):
        return jnp.sum(jnp.sin(normalize(x, weights, statistics=statistics)))

    run_and_slopes = jax.jit(jax.value_and_grad(run, argnums=(0, 1)))
    with_value, with_slopes = run_and_slopes(x, empty)
    value, slopes = run_and_slopes(x, weights)
    np.testing.assert_allclose(with_value, value, rtol=1e-5)
    np.testing.assert_allclose(with_slopes[0], slopes[0], atol=1e-5)
    np.testing.assert_allclose(with_slopes[1][..., :3], slopes[1], atol=1e-4)
    np.testing.assert_array_equal(with_slopes[1][..., 3], 0.0)


@pytest.mark.parametrize("normalize,shape", [(region_normalize_jit, (1, 5, 7, 2)), (group_normalize_jit, (1, 3, 2))])
@pytest.mark.parametrize("statistics", READINGS)
@pytest.mark.parametrize("weight", [0.0, 1e-30, 1e-8, 1.0])
def test_constant_maps_and_vanishing_weights_are_finite(normalize, shape, statistics, weight):
    x, weights = np.full((1, 5, 7, 3), 0.5, np.float32), np.full(shape, weight, np.float32)
    result, pullback = jax.vjp(lambda x, w: normalize(x, w, statistics=statistics), x, weights)
    assert np.isfinite(result).all()
    assert all(np.isfinite(slope).all() for slope in pullback(jnp.ones_like(result)))
    if statistics == "weighted":
        np.testing.assert_allclose(result, 0.0, atol=1e-6)


@pytest.mark.parametrize("statistics", READINGS)
def test_a_region_of_one_pixel_is_finite(statistics):
    x, _ = draw((1, 5, 7, 3), 2)
    regions = np.ones((1, 5, 7, 2), np.float32)
    regions[0, 2, 3] = (0, 1)
    regions[..., 1] = 1 - regions[..., 0]
    result, pullback = jax.vjp(lambda x: region_normalize_jit(x, regions, statistics=statistics), x)
    assert worst(result, region_oracle(x, regions, statistics)) < 1e-3
    assert np.isfinite(pullback(jnp.ones_like(result))[0]).all()


@pytest.mark.parametrize("normalize,oracle,per_channel", [
    (region_normalize_jit, region_oracle, False),
    (group_normalize_jit, group_oracle, True),
])  # fmt: skip
@pytest.mark.parametrize("statistics", READINGS)
def test_bfloat16_in_and_out_with_float32_statistics(normalize, oracle, per_channel, statistics):
    x, weights = draw((2, 64, 31, 4), 3, mean=4.0, per_channel=per_channel)
    x, weights = jnp.bfloat16(x), jnp.bfloat16(weights)
    result = normalize(x, weights, statistics=statistics)
    assert result.dtype == jnp.bfloat16
    # only the result is rounded: half a unit of bfloat16's 8 bits
    assert worst(result, oracle(np.float64(x), np.float64(weights), statistics)) < 2**-8


def test_samples_do_not_mix():
    x, regions = draw((3, 8, 9, 4), 3)
    together = region_normalize_jit(x, regions, statistics="weighted")
    alone = region_normalize_jit(x[1:2], regions[1:2], statistics="weighted")
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)


def test_memory_does_not_grow_with_a_map_per_region():
    def temporary(count):
        x, regions = jnp.zeros((1, 32, 32, 64)), jnp.zeros((1, 32, 32, count))
        program = region_normalize_jit.lower(x, regions, statistics="weighted")
        return program.compile().memory_analysis().temp_size_in_bytes

    assert temporary(16) < temporary(2) + 32 * 32 * 64 * 4  # one map more at most, not fourteen


@pytest.mark.parametrize("normalize,shapes", [
    (region_normalize, [((2, 4, 4, 3), (1, 4, 4, 2)), ((2, 4, 4, 3), (2, 4, 5, 2)), ((4, 4, 3), (4, 4, 2))]),
    (group_normalize, [((2, 4, 4, 3), (1, 3, 2)), ((2, 4, 4, 3), (2, 4, 2)), ((2, 4, 4, 3), (3, 2))]),
])  # fmt: skip
def test_wrong_shapes_and_statistics_are_named(normalize, shapes):
    for x_shape, weights_shape in shapes:
        with pytest.raises(ValueError, match="must be"):
            normalize(jnp.zeros(x_shape), jnp.zeros(weights_shape), statistics="weighted")
    weights = jnp.zeros((2, 4, 4, 2)) if normalize is region_normalize else jnp.zeros((2, 3, 2))
    with pytest.raises(ValueError, match="'letter'"):
        normalize(jnp.zeros((2, 4, 4, 3)), weights, statistics="letter")
