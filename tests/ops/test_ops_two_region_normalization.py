"""Normalisation of two regions against the published form in float64: fill with the mean, batch norm, root of share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.normalization import normalize_two_regions

torch = pytest.importorskip("torch")
EPSILON = 1e-5
DIRECTION = np.random.default_rng(1).normal(size=(3, 7, 11, 5))


def published(x, region):
    """Over all images together: [B,H,W,C], [B,H,W,1] -> [B,H,W,C]."""
    total = 0
    for inside in (region, 1 - region):
        pixels = max(inside.sum(), 1)
        filled = x * inside + (1 - inside) * (x * inside).sum((0, 1, 2)) / pixels
        deviation = (filled.var((0, 1, 2), correction=0) + EPSILON).sqrt()
        total = total + (filled - filled.mean((0, 1, 2))) / deviation * (pixels / inside.numel()) ** 0.5
    return total


def literal(x, region, statistics):
    """Values, and the slope to x of their sum weighed by DIRECTION."""
    x, region = torch.tensor(x).double().requires_grad_(), torch.tensor(region).double()
    together = len(x) if statistics == "batch" else 1
    y = torch.cat([published(*pair) for pair in zip(x.split(together), region.split(together))])
    (y * torch.tensor(DIRECTION)).sum().backward()
    return y.detach().numpy(), x.grad.numpy()


@functools.partial(jax.jit, static_argnames="statistics")
def ours(x, region, statistics):
    y, pull = jax.vjp(functools.partial(normalize_two_regions, statistics=statistics), x, region)
    return y, *pull(np.asarray(DIRECTION, y.dtype))


def draw(mean=0.0, share=0.3):
    rng = np.random.default_rng(0)
    x = mean + rng.normal(size=(3, 7, 11, 5)) * np.array([1, 0.1, 10, 1e-3, 1])
    return x.astype(np.float32), (rng.random((3, 7, 11, 1)) < share).astype(np.float32)


@pytest.mark.parametrize("statistics", ["batch", "image"])
@pytest.mark.parametrize("share", [0.3, 0.01, 0.0, 1.0])
def test_it_is_the_published_form_with_its_gradient(share, statistics):
    x, region = draw(share=share)
    found, slope, none = ours(x, region, statistics)
    wanted, wanted_slope = literal(x, region, statistics)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    size = np.abs(wanted_slope).max((0, 1, 2))
    np.testing.assert_allclose(np.asarray(slope) / size, wanted_slope / size, atol=1e-4)
    assert not none.any()


def test_a_large_mean_costs_few_digits():
    x, region = draw(mean=100.0)
    keep = [0, 2, 4]  # the others vary by less than 32 bits hold beside 100
    found, wanted = ours(x, region, "batch")[0], literal(x, region, "batch")[0]
    np.testing.assert_allclose(found[..., keep], wanted[..., keep], atol=2e-3)


@pytest.mark.parametrize("statistics", ["batch", "image"])
def test_one_region_does_not_see_the_other(statistics):
    x, region = draw()
    a, b = (ours(value, region, statistics)[0] for value in (x, np.where(region > 0, x, 7 * x + 3)))
    np.testing.assert_array_equal(a * region, b * region)


def test_a_constant_map_is_finite():
    region = np.zeros((3, 7, 11, 1), np.float32)
    region[0, 1, 1] = 1
    found = ours(np.full((3, 7, 11, 5), 5, np.float32), region, "image")
    assert all(np.isfinite(value).all() for value in found)


def test_half_precision_is_normalised_in_full():
    x, region = draw()
    x = x.astype(jnp.bfloat16)
    found = ours(x, region, "batch")[0]
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, literal(x.astype(np.float64), region, "batch")[0], rtol=1e-4, atol=1e-4)


def test_wrong_shapes_and_names_are_refused():
    x = np.zeros((1, 4, 4, 2))
    refused("region", normalize_two_regions, (x, x), statistics="batch")
    refused("statistics", normalize_two_regions, (x, x[..., :1]), statistics="both")
