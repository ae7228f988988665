"""Correlations against float64 loops written from SCAN's eqs. (1), (2) and (4)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from refusals import refused

from scan_jax.ops.correlation import channel_correlation, channel_gram, correlate, orthogonality, patch_correlation


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_patch_correlation_is_the_cosine():
    a, b = normal(2, 4, 3, 3, 5), 10 * normal(2, 7, 3, 3, 5, seed=1)
    flat = np.float64(a).reshape(2, 4, -1), np.float64(b).reshape(2, 7, -1)
    unit = [vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in flat]
    np.testing.assert_allclose(jax.jit(patch_correlation)(a, b), unit[0] @ unit[1].transpose(0, 2, 1), atol=1e-6)


@jax.jit
def correlation_and_slopes(a, b):
    result, pull = jax.vjp(patch_correlation, a, b)
    return result, pull(jnp.ones_like(result))


def test_zero_patches_correlate_with_nothing_and_have_finite_slopes():
    for scale in (0.0, 1e-30, 1e-12, 1e-6):
        a, b = normal(1, 3, 3, 3, 2), normal(1, 4, 3, 3, 2, seed=1)
        a[0, 1] *= scale
        result, slopes = correlation_and_slopes(a, b)
        if scale < 1e-12:
            np.testing.assert_array_equal(result[0, 1], 0.0)
        assert np.all(np.abs(result) <= 1 + 1e-6)
        assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize(
    "shape,count,size", [((2, 7, 9, 3), 4, 3), ((3, 5, 4, 2), 1, 5), ((2, 2, 1, 3), 3, 1), ((1, 2, 2, 1), 2, 7)]
)
def test_correlate_is_cross_correlation_with_kernels_per_sample(shape, count, size):
    x, kernels = normal(*shape), normal(shape[0], count, size, size, shape[3], seed=1)
    padded = np.pad(np.float64(x), ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    oracle = np.einsum("bhwcij,bnijc->bhwn", windows, kernels)
    np.testing.assert_allclose(jax.jit(correlate)(x, kernels), oracle, atol=1e-4)


def test_channel_gram_holds_all_products_and_channel_correlation_is_the_sum_over_the_other_channels():
    x = normal(2, 5, 7, 6)
    rounded = x.astype(jnp.bfloat16)
    run = jax.jit(lambda x, y: (channel_gram(x), channel_correlation(channel_gram(x)), channel_gram(y)))
    gram, others, of_rounded = run(x, rounded)
    oracle = np.einsum("bhwc,bhwd->bcd", np.float64(x), np.float64(x))
    np.testing.assert_allclose(gram, oracle, atol=1e-4)
    np.testing.assert_allclose(others, (oracle.sum(axis=1) - np.einsum("bcc->bc", oracle)) / 6, atol=1e-4)
    assert of_rounded.dtype == jnp.float32
    exact = np.einsum("bhwc,bhwd->bcd", np.float64(rounded), np.float64(rounded))
    np.testing.assert_allclose(of_rounded, exact, rtol=1e-5, atol=1e-4)


def test_orthogonality_is_eq1():
    kernels = normal(4, 6)
    gram = np.float64(kernels) @ np.float64(kernels).T
    np.testing.assert_allclose(orthogonality(kernels), np.linalg.norm(gram - np.eye(4), "fro") ** 2, rtol=1e-5)
    rows = np.linalg.qr(normal(6, 4))[0].T
    np.testing.assert_allclose(orthogonality(rows), 0.0, atol=1e-10)


@pytest.mark.parametrize("function,inputs", [
    (patch_correlation, (normal(2, 3, 3, 3, 2), normal(2, 2, 3, 3, 2, seed=1))),
    (correlate, (normal(2, 4, 5, 3), normal(2, 2, 3, 3, 3, seed=1))),
    (channel_gram, (normal(2, 3, 5, 4),)),
    (orthogonality, (0.5 * normal(3, 4),)),
], ids=lambda value: getattr(value, "__name__", ""))  # fmt: skip
def test_gradients(function, inputs):
    check_grads(jax.jit(function), inputs, order=1, modes=["rev"], atol=2e-2, rtol=2e-2, eps=1e-2)


@pytest.mark.parametrize("function,inputs", [
    (patch_correlation, (normal(2, 3, 3, 3, 8), normal(2, 2, 3, 3, 8, seed=1))),
    (correlate, (normal(2, 9, 7, 8), normal(2, 2, 3, 3, 8, seed=1))),
    (orthogonality, (normal(3, 4),)),
], ids=lambda value: getattr(value, "__name__", ""))  # fmt: skip
def test_bfloat16_in_and_out_with_float32_sums(function, inputs):
    rounded = [value.astype(jnp.bfloat16) for value in inputs]
    result, exact = (jax.jit(function)(*x) for x in (rounded, [np.float32(value) for value in rounded]))
    assert result.dtype == jnp.bfloat16
    exact = np.float64(exact)
    assert np.abs(np.float64(result) - exact).max() <= 2**-8 * np.abs(exact).max()


def test_wrong_shapes_are_named():
    for function, *shapes in (
        (patch_correlation, (2, 3, 3, 3, 2), (1, 3, 3, 3, 2)),
        (patch_correlation, (2, 3, 3, 3, 2), (2, 3, 5, 5, 2)),
        (patch_correlation, (3, 3, 3, 2), (3, 3, 3, 2)),
        (correlate, (2, 4, 4, 3), (1, 2, 3, 3, 3)),
        (correlate, (2, 4, 4, 3), (2, 2, 3, 3, 2)),
        (correlate, (2, 4, 4, 3), (2, 2, 2, 2, 3)),
        (correlate, (2, 4, 4, 3), (2, 2, 3, 5, 3)),
        (channel_gram, (4, 4, 3)),
        (orthogonality, (1, 1, 3, 4)),
    ):
        refused("must be", function, [np.zeros(shape) for shape in shapes])
