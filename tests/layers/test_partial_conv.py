"""PartialConv against eq. (1)-(2) of Liu et al. 2018 in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.partial_conv import PartialConv


def reference(x, known, kernel, bias, stride):
    """W^T (X . M) * k^2 / sum(M) + b where sum(M) > 0, else 0."""
    size, pad = kernel.shape[0], kernel.shape[0] // 2
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    masked, weight = np.pad(x * known, around), np.pad(known, around)
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    out = np.zeros((x.shape[0], rows, columns, kernel.shape[-1]))
    updated = np.zeros((x.shape[0], rows, columns, 1))
    for i in range(rows):
        for j in range(columns):
            window = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
            total = weight[window].sum(axis=(1, 2))  # [B,1]
            value = np.einsum("bijc,ijcd->bd", masked[window], kernel)
            out[:, i, j] = np.where(total > 0, value * size**2 / np.maximum(total, 1) + bias, 0)
            updated[:, i, j] = total > 0
    return out, updated


@pytest.mark.parametrize(("size", "stride", "share"), [(3, 1, 0.5), (5, 2, 0.05), (7, 1, 0.0), (3, 2, 1.0)])
def test_equals_the_equations(size, stride, share):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 11, 3))
    known = (rng.random((2, 9, 11, 1)) < share).astype(np.float64)
    layer = PartialConv(4, size, stride)
    params = layer.init(jax.random.key(0), jnp.asarray(x, jnp.float32), jnp.asarray(known, jnp.float32))["params"]
    params = {**params, "bias": jnp.arange(1.0, 5.0)}
    found, updated = layer.apply({"params": params}, jnp.asarray(x, jnp.float32), jnp.asarray(known, jnp.float32))
    kernel, bias = np.asarray(params["kernel"], np.float64), np.asarray(params["bias"], np.float64)
    wanted, wanted_known = reference(x, known, kernel, bias, stride)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(updated, wanted_known)


def test_never_reads_the_hole():
    key = jax.random.key(0)
    x = jax.random.normal(key, (1, 8, 8, 2))
    known = jnp.ones((1, 8, 8, 1)).at[:, 2:6, 2:6].set(0)
    layer = PartialConv(3)
    variables = layer.init(key, x, known)
    changed = jnp.where(known > 0, x, 1e6)
    np.testing.assert_array_equal(layer.apply(variables, x, known)[0], layer.apply(variables, changed, known)[0])


@pytest.mark.parametrize("stride", [1, 2])
def test_a_channel_of_known_for_each_of_x(stride):
    """Eq. (1) with the sum over all numbers under the kernel, written as a sum over channels of single ones."""
    rng = np.random.default_rng(0)
    x, known = rng.normal(size=(2, 9, 11, 3)), (rng.random((2, 9, 11, 3)) < 0.1).astype(np.float64)
    layer = PartialConv(4, 3, stride, use_bias=False)
    given = jnp.asarray(x, jnp.float32), jnp.asarray(known, jnp.float32)
    params = layer.init(jax.random.key(0), *given)["params"]
    assert set(params) == {"kernel"}
    found, updated = layer.apply({"params": params}, *given)
    kernel = np.asarray(params["kernel"], np.float64)
    total = sum(window_sums(known[..., i : i + 1], stride) for i in range(3))
    plain = reference(x * known, np.ones_like(known[..., :1]), kernel, 0, stride)[0]
    unweighted = plain * window_sums(np.ones_like(known[..., :1]), stride) / 9
    wanted = np.where(total > 0, unweighted * 27 / np.maximum(total, 1), 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(updated, total > 0)


def window_sums(known, stride):
    """Sum under each 3x3 window, zeros around: [B,H,W,1] -> [B,H',W',1]."""
    padded = np.pad(known, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = known.shape[1:3]
    whole = sum(padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3))
    return whole[:, ::stride, ::stride]


def test_equal_channels_are_one():
    x, known = jax.random.normal(jax.random.key(0), (1, 8, 8, 5)), jnp.ones((1, 8, 8, 1)).at[:, 2:7, 1:6].set(0)
    layer = PartialConv(3)
    variables = layer.init(jax.random.key(0), x, known)
    one, many = (layer.apply(variables, x, k) for k in (known, jnp.broadcast_to(known, x.shape)))
    np.testing.assert_allclose(one[0], many[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(one[1], many[1])


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="one channel or, as x, 5"):
        PartialConv(3).init(jax.random.key(0), jnp.ones((1, 4, 4, 5)), jnp.ones((1, 4, 4, 2)))
