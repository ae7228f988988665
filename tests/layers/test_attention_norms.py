"""SAN and CAN against their equations, written in float64."""

import functools

import jax
import numpy as np
import pytest
from scipy.special import softmax

from scan_jax.layers.attention_norm import ChannelAttentionNorm, SpatialAttentionNorm, self_sampled_filters

EPSILON = 1e-3


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
    height, width = x.shape[1:3]
    shifts = ((padded[:, i : i + height, j : j + width], filters[:, :, i, j]) for i, j in np.ndindex(3, 3))
    return sum(np.einsum("bhwc,bnc->bhwn", *pair) for pair in shifts)


@functools.cache
def inputs(height=9, width=7, channels=6):
    rng = np.random.default_rng(3)
    x, encoded = rng.standard_normal((2, 2, height, width, channels), np.float32)
    known = np.ones((2, height, width, 1), np.float32)
    known[0, 2:6, 1:5] = known[1, 5:] = 0
    return x, encoded, known, jax.random.split(jax.random.key(5), 2)


@functools.cache
def san_parameters():
    return jax.jit(SpatialAttentionNorm(regions=4).init)(jax.random.key(0), *inputs())["params"]


@functools.cache
def run_san(statistics, kernels):
    """Of parameters and what is known: the output, what is sown, the sampled filters, a gradient to the parameters."""
    layer, (x, encoded, _, keys) = SpatialAttentionNorm(4, statistics, kernels), inputs()

    @jax.jit
    def run(params, known):
        def total(params):
            y, sown = layer.apply({"params": params}, x, encoded, known, keys, mutable=["losses"])
            return y.sum(), (y, sown)

        slopes, (y, sown) = jax.grad(total, has_aux=True)(params)
        return y, sown, self_sampled_filters(x, encoded, known, keys, count=4, kernels=kernels), slopes

    return run


@pytest.mark.parametrize(("statistics", "kernels"), [("product", "unit"), ("weighted", "raw")])
def test_san_equals_its_equations(statistics, kernels):
    (x, _, known, _), params, run = inputs(), san_parameters(), run_san(statistics, kernels)
    assert float(params["gamma"]) == 0
    np.testing.assert_allclose(params["alpha"], 0.1)
    np.testing.assert_array_equal(run(params, known)[0], x)
    found, sown, filters, _ = run({**params, "gamma": np.float32(0.7)}, known)

    wide, kernel = x.astype(np.float64), np.asarray(params["kernel"], np.float64)
    scores = wide @ kernel.T + 0.1 * correlate(wide, np.asarray(filters, np.float64))
    regions = softmax(scores, -1)[:, :, :, None]
    wanted = wide + 0.7 * normalize(wide, regions, statistics, (1, 2))
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    (penalty,) = sown["losses"]["orthogonality"]
    assert float(penalty) == pytest.approx(np.sum((kernel @ kernel.T - np.eye(4)) ** 2), abs=1e-6)


def test_filters_are_the_known_patches_most_like_the_hole():
    x, encoded, known, keys = inputs()
    # One known patch of the encoder repeats the hole's features; drawing all positions, it must be chosen.
    target, encoded = x[0, 3:6, 2:5], encoded.copy()
    encoded[0, 6:9, 4:7] = target
    sample = functools.partial(self_sampled_filters, count=known[0].size, kernels="raw")
    distance = np.abs(jax.jit(sample)(x, encoded, known, keys)[0] - target[None]).max(axis=(1, 2, 3))
    assert distance.min() < 1e-6
    assert distance.argmin() == 0, "the best match comes first"


def test_unit_filters_have_length_one_and_without_hole_or_known_pixels_the_sampling_drops_out():
    known, run = inputs()[2], run_san("product", "unit")
    for seen, length in ((known, 1), (np.zeros_like(known), 0), (np.ones_like(known), 0)):
        *_, filters, slopes = run(san_parameters(), seen)
        np.testing.assert_allclose(np.linalg.norm(filters.reshape(2, 4, -1), axis=-1), length, rtol=1e-4)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@pytest.mark.parametrize(("statistics", "scale"), [("product", "mean"), ("weighted", "sum")])
def test_can_equals_its_equations(statistics, scale):
    x, *_ = inputs()
    layer = ChannelAttentionNorm(groups=4, statistics=statistics, scale=scale)
    params, beta = jax.jit(layer.init)(jax.random.key(0), x)["params"], np.float32([0.1, -0.3, 0.5, 0.2])
    np.testing.assert_allclose(params["beta"], 0.1)  # alike, which the softmax takes away
    apply = jax.jit(lambda params: layer.apply({"params": params}, x, mutable=["losses"]))
    np.testing.assert_array_equal(apply(params)[0], x)
    found, sown = apply({**params, "eta": np.float32(-0.4), "beta": beta})

    wide = x.astype(np.float64)
    kernel, flat = np.asarray(params["kernel"], np.float64), wide.reshape(2, -1, 6)
    attention = flat @ kernel.T  # [B,HW,n]
    raw = np.einsum("bpn,bpc->bcn", attention, flat)
    products = np.einsum("bpi,bpj->bij", flat, flat)
    regular = (products.sum(1) - np.einsum("bii->bi", products)) / 6  # eq. (4)
    pixels = 9 * 7 if scale == "mean" else 1
    groups = softmax((raw + beta * regular[..., None]) / pixels, -1)  # [B,C,N]
    wanted = wide - 0.4 * normalize(wide, groups[:, None, None], statistics, (1, 2, 3))
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    assert len(sown["losses"]["orthogonality"]) == 1
