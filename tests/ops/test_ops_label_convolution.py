"""Label convolutions against a convolution of the one-hot map in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.label_convolution import convolve_labels


def literal(labels, kernels):
    """The one-hot map, padded with zeros, times every tap, in float64."""
    batch, size, _, classes, channels = kernels.shape
    height, width = labels.shape[1:]
    one_hot = (np.asarray(labels)[..., None] == np.arange(classes)).astype(np.float64)  # [B,H,W,N]
    pad = size // 2
    padded = np.pad(one_hot, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    result = np.zeros((batch, height, width, channels))
    for i in range(size):
        for j in range(size):
            shifted = padded[:, i : i + height, j : j + width]
            result += np.einsum("bhwn,bnc->bhwc", shifted, np.asarray(kernels[:, i, j], np.float64))
    return result


def draw(size=3, classes=4, low=0, high=4):
    labels = jax.random.randint(jax.random.key(0), (2, 7, 5), low, high)
    kernels = jax.random.normal(jax.random.key(1), (2, size, size, classes, 6))
    return labels, kernels


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equals_the_convolution_of_the_one_hot_map(size):
    labels, kernels = draw(size)
    np.testing.assert_allclose(convolve_labels(labels, kernels), literal(labels, kernels), rtol=1e-5, atol=1e-5)


def test_a_label_outside_the_classes_adds_nothing():
    _, kernels = draw()
    labels = jax.random.choice(jax.random.key(3), jnp.array([-2, 0, 1, 2, 3, 4, 255]), (2, 7, 5))
    assert (labels < 0).any() and (labels > 3).any()
    np.testing.assert_allclose(convolve_labels(labels, kernels), literal(labels, kernels), rtol=1e-5, atol=1e-5)


def test_a_bias_is_added_everywhere():
    labels, kernels = draw(low=-1, high=6)
    bias = jnp.arange(6.0)
    found, pull = jax.vjp(lambda bias: convolve_labels(labels, kernels, bias), bias)
    np.testing.assert_allclose(found, literal(labels, kernels) + np.arange(6), rtol=1e-5, atol=1e-5)
    direction = jax.random.normal(jax.random.key(2), found.shape)
    np.testing.assert_allclose(pull(direction)[0], direction.sum((0, 1, 2)), rtol=1e-4, atol=1e-4)


def test_gradient_is_the_literal_ones():
    labels, kernels = draw(low=-1, high=6)
    direction = np.asarray(jax.random.normal(jax.random.key(2), (2, 7, 5, 6)))
    found = jax.grad(lambda k: jnp.vdot(convolve_labels(labels, k), direction))(kernels)
    wanted = np.zeros(kernels.shape)
    for index in np.ndindex(2, 3, 3, 4):  # linear in the kernels: the answer to a unit kernel, channel by channel alike
        unit = np.zeros(kernels.shape)
        unit[index] = 1
        wanted[index] = np.einsum("hwc,hwc->c", literal(labels, unit)[index[0]], direction[index[0]])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    check_grads(lambda k: convolve_labels(labels, k), (kernels,), order=1, modes=["rev"], rtol=1e-2)


def test_bfloat16_sums_in_float32():
    labels, kernels = draw()
    found = convolve_labels(labels, kernels.astype(jnp.bfloat16))
    assert found.dtype == jnp.bfloat16
    wanted = literal(labels, np.asarray(kernels.astype(jnp.bfloat16), np.float32))
    np.testing.assert_allclose(np.asarray(found, np.float32), wanted, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "kernels"),
    [((2, 4, 4, 1), (2, 3, 3, 4, 6)), ((1, 4, 4), (2, 3, 3, 4, 6)), ((2, 4, 4), (2, 2, 2, 4, 6)), ((2, 4, 4), (3, 3))],
)
def test_wrong_shapes_are_refused(labels, kernels):
    with pytest.raises(ValueError, match="must be"):
        convolve_labels(jnp.zeros(labels, jnp.int32), jnp.zeros(kernels))


def test_float_labels_are_refused():
    with pytest.raises(ValueError, match="integers"):
        convolve_labels(jnp.zeros((1, 4, 4)), jnp.zeros((1, 3, 3, 2, 2)))
