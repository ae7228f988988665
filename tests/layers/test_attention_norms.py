"""SAN and CAN against their equations, written in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.channel_attention_norm import ChannelAttentionNorm
from scan_jax.layers.spatial_attention_norm import SpatialAttentionNorm, self_sampled_filters

EPSILON = 1e-3


def softmax(scores, axis):
    scores = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return scores / scores.sum(axis=axis, keepdims=True)


def normalize(x, weights, statistics, axes):
    """Eq. (3) for x [B,H,W,C] and weights [B,H,W,C,N]-broadcastable, statistics over `axes`."""
    x = x[..., None]
    if statistics == "product":
        product = x * weights
        mean, deviation = product.mean(axes, keepdims=True), product.std(axes, keepdims=True)
    else:
        weights = np.broadcast_to(weights, np.broadcast_shapes(x.shape, weights.shape))
        total = weights.sum(axes, keepdims=True)
        mean = (weights * x).sum(axes, keepdims=True) / total
        deviation = np.sqrt((weights * (x - mean) ** 2).sum(axes, keepdims=True) / total)
    return ((x - mean) / (deviation + EPSILON) * weights).sum(-1)


def correlate(x, filters):
    """x [B,H,W,C] with filters [B,N,3,3,C] -> [B,H,W,N]."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = 0.0
    for i in range(3):
        for j in range(3):
            shifted = padded[:, i : i + x.shape[1], j : j + x.shape[2]]
            out = out + np.einsum("bhwc,bnc->bhwn", shifted, filters[:, :, i, j])
    return out


def inputs(height=9, width=7, channels=6):
    keys = jax.random.split(jax.random.key(3), 3)
    x = jax.random.normal(keys[0], (2, height, width, channels))
    encoded = jax.random.normal(keys[1], (2, height, width, channels))
    known = jnp.ones((2, height, width, 1)).at[0, 2:6, 1:5].set(0).at[1, 5:].set(0)
    return x, encoded, known, jax.random.split(keys[2], 2)


@pytest.mark.parametrize("statistics", ["product", "weighted"])
@pytest.mark.parametrize("kernels", ["unit", "raw"])
def test_san_equals_its_equations(statistics, kernels):
    x, encoded, known, keys = inputs()
    layer = SpatialAttentionNorm(regions=4, statistics=statistics, kernels=kernels)
    params = layer.init(jax.random.key(0), x, encoded, known, keys)["params"]
    assert float(params["gamma"]) == 0
    np.testing.assert_allclose(params["alpha"], 0.1)
    np.testing.assert_array_equal(layer.apply({"params": params}, x, encoded, known, keys), x)
    params = {**params, "gamma": jnp.float32(0.7)}
    found, sown = layer.apply({"params": params}, x, encoded, known, keys, mutable=["losses"])

    wide = np.asarray(x, np.float64)
    kernel = np.asarray(params["kernel"], np.float64)
    filters = np.asarray(self_sampled_filters(x, encoded, known, keys, count=4, kernels=kernels), np.float64)
    scores = wide @ kernel.T + 0.1 * correlate(wide, filters)
    regions = softmax(scores, -1)[:, :, :, None]
    wanted = wide + 0.7 * normalize(wide, regions, statistics, (1, 2))
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    (penalty,) = sown["losses"]["orthogonality"]
    assert float(penalty) == pytest.approx(np.sum((kernel @ kernel.T - np.eye(4)) ** 2), abs=1e-6)


def test_filters_are_the_known_patches_most_like_the_hole():
    x, encoded, known, keys = inputs()
    # One known patch of the encoder repeats the hole's features; drawing all positions, it must be chosen.
    target = x[0, 3:6, 2:5]
    encoded = encoded.at[0, 6:9, 4:7].set(target)
    count = int(known[0].size)
    filters = self_sampled_filters(x, encoded, known, keys, count=count, kernels="raw")
    distance = jnp.abs(filters[0] - target[None]).max(axis=(1, 2, 3))
    assert float(distance.min()) < 1e-6
    assert int(distance.argmin()) == 0, "the best match comes first"


def test_unit_filters_have_length_one():
    x, encoded, known, keys = inputs()
    filters = self_sampled_filters(x, encoded, known, keys, count=3, kernels="unit")
    np.testing.assert_allclose(jnp.linalg.norm(filters.reshape(2, 3, -1), axis=-1), 1, rtol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_hole_or_known_pixels_the_sampling_drops_out(value):
    x, encoded, known, keys = inputs()
    known = jnp.full_like(known, value)
    filters = self_sampled_filters(x, encoded, known, keys, count=3, kernels="unit")
    np.testing.assert_array_equal(filters, 0)
    layer = SpatialAttentionNorm(regions=3)
    params = layer.init(jax.random.key(0), x, encoded, known, keys)["params"]
    gradient = jax.grad(lambda p: layer.apply({"params": p}, x, encoded, known, keys).sum())(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("statistics", ["product", "weighted"])
@pytest.mark.parametrize("scale", ["mean", "sum"])
def test_can_equals_its_equations(statistics, scale):
    x, *_ = inputs()
    layer = ChannelAttentionNorm(groups=4, statistics=statistics, scale=scale)
    params = layer.init(jax.random.key(0), x)["params"]
    np.testing.assert_array_equal(layer.apply({"params": params}, x), x)
    params = {**params, "eta": jnp.float32(-0.4)}
    found, sown = layer.apply({"params": params}, x, mutable=["losses"])

    wide = np.asarray(x, np.float64)
    kernel, flat = np.asarray(params["kernel"], np.float64), wide.reshape(2, -1, 6)
    attention = flat @ kernel.T  # [B,HW,n]
    raw = np.einsum("bpn,bpc->bcn", attention, flat)
    products = np.einsum("bpi,bpj->bij", flat, flat)
    regular = (products.sum(1) - np.einsum("bii->bi", products)) / 6  # eq. (4)
    pixels = 9 * 7 if scale == "mean" else 1
    groups = softmax((raw + 0.1 * regular[..., None]) / pixels, -1)  # [B,C,N]
    wanted = wide - 0.4 * normalize(wide, groups[:, None, None], statistics, (1, 2, 3))
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    assert len(sown["losses"]["orthogonality"]) == 1
