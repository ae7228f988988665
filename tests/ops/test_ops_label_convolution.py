"""Label convolutions against a convolution of the one-hot map in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.convolution import convolve_labels

compiled = jax.jit(convolve_labels)


def windows(labels, size):
    """The one-hot map, padded with zeros, under every kernel: [B,H,W,N,k,k]."""
    one_hot = (labels[..., None] == np.arange(4)).astype(np.float64)
    padded = np.pad(one_hot, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))


def literal(labels, kernels):
    return np.einsum("bhwnij,bijnc->bhwc", windows(labels, kernels.shape[1]), kernels.astype(np.float64))


def draw(size=3, low=0, high=4):
    rng = np.random.default_rng(0)
    labels = rng.integers(low, high, (2, 7, 5)).astype(np.int32)
    return labels, rng.standard_normal((2, size, size, 4, 6), np.float32)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equals_the_convolution_of_the_one_hot_map(size):
    labels, kernels = draw(size)
    np.testing.assert_allclose(compiled(labels, kernels), literal(labels, kernels), rtol=1e-5, atol=1e-5)


def test_a_label_outside_the_classes_adds_nothing():
    _, kernels = draw()
    labels = np.random.default_rng(3).choice(np.int32([-2, 0, 1, 2, 3, 4, 255]), (2, 7, 5))
    assert {-2, 4, 255} < set(labels.flat)
    np.testing.assert_allclose(compiled(labels, kernels), literal(labels, kernels), rtol=1e-5, atol=1e-5)


def test_a_bias_is_added_everywhere_and_gradients_are_the_literal_ones():
    labels, kernels = draw(low=-1, high=6)
    direction = np.random.default_rng(2).standard_normal((2, 7, 5, 6), np.float32)

    @jax.jit
    def run(kernels, bias, direction):
        y, pull = jax.vjp(lambda kernels, bias: convolve_labels(labels, kernels, bias), kernels, bias)
        return y, *pull(direction)

    found, to_kernels, to_bias = run(kernels, np.arange(6, dtype=np.float32), direction)
    np.testing.assert_allclose(found, literal(labels, kernels) + np.arange(6), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(to_bias, direction.sum((0, 1, 2)), rtol=1e-4, atol=1e-4)
    wanted = np.einsum("bhwnij,bhwc->bijnc", windows(labels, 3), direction)
    np.testing.assert_allclose(to_kernels, wanted, rtol=1e-5, atol=1e-5)


def test_bfloat16_sums_in_float32():
    labels, kernels = draw()
    kernels = kernels.astype(jnp.bfloat16)
    found = compiled(labels, kernels)
    assert found.dtype == jnp.bfloat16
    wanted = literal(labels, kernels.astype(np.float32))
    np.testing.assert_allclose(np.asarray(found, np.float32), wanted, rtol=2**-8, atol=1e-6)


def test_wrong_shapes_are_refused():
    labels, kernels = np.zeros((2, 4, 4), np.int32), np.zeros((2, 3, 3, 4, 6))
    wrong = (labels[..., None], kernels), (labels[:1], kernels), (labels, kernels[:, :2, :2]), (labels, kernels[0, 0])
    refused("must be", convolve_labels, *wrong)
    refused("integers", convolve_labels, (np.zeros((2, 4, 4)), kernels))
