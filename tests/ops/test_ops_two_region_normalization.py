"""Normalisation of two regions against the published form in float64: fill with the mean, batch norm, root of share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.two_region_normalization import normalize_two_regions

EPSILON = 1e-5


def literal(x, region):
    """Over all images together: [B,H,W,C], [B,H,W,1] -> [B,H,W,C]."""
    total = 0
    for inside in (region, 1 - region):
        pixels = inside.sum() or 1.0
        mean = (x * inside).sum((0, 1, 2)) / pixels
        filled = x * inside + (1 - inside) * mean
        filled = (filled - filled.mean((0, 1, 2))) / np.sqrt(filled.var((0, 1, 2)) + EPSILON)
        total = total + filled * np.sqrt(pixels / region.size)
    return total


def draw(mean=0.0, shape=(3, 7, 11, 5), share=0.3):
    rng = np.random.default_rng(0)
    x = mean + rng.normal(size=shape) * np.array([1, 0.1, 10, 1e-3, 1])
    return x, (rng.random((*shape[:3], 1)) < share).astype(np.float64)


def ours(x, region, statistics):
    given = jnp.asarray(x, jnp.float32), jnp.asarray(region, jnp.float32)
    return jax.jit(normalize_two_regions, static_argnames="statistics")(*given, statistics=statistics)


@pytest.mark.parametrize("share", [0.3, 0.01, 0.0, 1.0])
def test_it_is_the_published_form_over_a_batch_and_over_each_image(share):
    x, region = draw(share=share)
    np.testing.assert_allclose(ours(x, region, "batch"), literal(x, region), rtol=1e-4, atol=1e-4)
    alone = np.concatenate([literal(x[i : i + 1], region[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(ours(x, region, "image"), alone, rtol=1e-4, atol=1e-4)


def test_a_large_mean_costs_few_digits():
    x, region = draw(mean=100.0)
    keep = [0, 2, 4]  # the others vary by less than 32 bits hold beside 100
    found = np.asarray(ours(x, region, "batch"))[..., keep]
    np.testing.assert_allclose(found, literal(x, region)[..., keep], atol=2e-3)


def test_one_region_does_not_see_the_other():
    x, region = draw()
    other = np.where(region > 0, x, 7 * x + 3)
    for statistics in ("batch", "image"):
        a, b = (np.asarray(ours(value, region, statistics)) for value in (x, other))
        np.testing.assert_array_equal(a * region, b * region)


@pytest.mark.parametrize("statistics", ["batch", "image"])
@pytest.mark.parametrize("share", [0.3, 0.0])
def test_gradients(statistics, share):
    x, region = draw(share=share)
    x = jnp.asarray(x[:2, :4, :3, :1], jnp.float32)
    weights = jax.random.normal(jax.random.key(0), x.shape)
    region = jnp.asarray(region[:2, :4, :3], jnp.float32)

    def total(x):
        return (normalize_two_regions(x, region, statistics=statistics) * weights).sum()

    check_grads(total, (x,), order=1, modes=["rev"], rtol=2e-2)
    slope = jax.grad(lambda region: normalize_two_regions(x, region, statistics=statistics).sum())(region)
    assert not slope.any()


def test_a_constant_map_is_finite():
    x, region = jnp.full((2, 4, 4, 3), 5.0), jnp.zeros((2, 4, 4, 1)).at[0, 1, 1].set(1)
    value, slope = jax.value_and_grad(lambda x: normalize_two_regions(x, region, statistics="image").sum())(x)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_half_precision_is_normalised_in_full():
    x, region = draw()
    x = jnp.asarray(x, jnp.bfloat16)
    found = normalize_two_regions(x, jnp.asarray(region), statistics="batch")
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, literal(np.asarray(x, np.float64), region), rtol=1e-4, atol=1e-4)


def test_wrong_shapes_and_names_are_refused():
    x = jnp.zeros((1, 4, 4, 2))
    with pytest.raises(ValueError, match="region"):
        normalize_two_regions(x, jnp.zeros((1, 4, 4, 2)), statistics="batch")
    with pytest.raises(ValueError, match="statistics"):
        normalize_two_regions(x, jnp.zeros((1, 4, 4, 1)), statistics="both")
