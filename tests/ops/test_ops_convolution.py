"""Partial convolution's rule for `known`, against a loop over windows; `convolve` against PyTorch in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_convolution import draw, exact, with_gradients
from refusals import refused

from scan_jax.ops.convolution import convolve, update_known


def oracle(known, kernel_size, stride):
    batch, height, width, _ = known.shape
    pad = kernel_size // 2
    padded = np.pad(known, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    result = np.zeros((batch, -(-height // stride), -(-width // stride), 1), np.float32)
    for sample, row, column, _ in np.ndindex(result.shape):
        top, left = row * stride, column * stride
        window = padded[sample, top : top + kernel_size, left : left + kernel_size]
        result[sample, row, column, 0] = window.sum() > 0
    return result


def test_known_where_any_known_pixel_lies_under_the_kernel():
    share = np.array([0.0, 0.06, 1.0])[:, None, None, None]
    known = (np.random.default_rng(0).random((3, 13, 10, 1)) < share).astype(np.float32)
    cases = list(itertools.product([1, 3, 5, 7], [1, 2, 3]))  # kernel, stride
    updated = jax.jit(lambda known: [update_known(known, *arguments) for arguments in cases])(known)
    for case, found in zip(cases, updated, strict=True):
        np.testing.assert_array_equal(found, oracle(known, *case), str(case))


def test_dtype_is_kept_and_no_gradient_flows():
    known = np.ones((1, 5, 5, 1), np.float32)
    assert jax.eval_shape(lambda k: update_known(k, 3, 2), known.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda k: update_known(k, 3, 1).sum()))(known), 0.0)


def test_wrong_inputs_are_named():
    one = np.ones((1, 5, 5, 1))
    refused("must be", update_known, (one[0], 3, 1), (np.ones((1, 5, 5, 3)), 3, 1), (one, 4, 1), (one, 3, 0))
    for kernel in ((3, 3, 5, 2), (3, 2, 4, 2), (3, 3, 4)):
        refused("must be", convolve, (np.zeros((1, 4, 4, 4)), np.zeros(kernel), (1, 1)))


# kernel, padding, height, width, channels, features: the kernel outweighs the map in the first four
CONVOLUTIONS = [
    (3, (1, 1), 3, 4, 5, 30),
    (3, (0, 2), 3, 4, 2, 20),
    (4, (2, 1), 3, 2, 3, 25),
    (1, (0, 0), 5, 7, 3, 2),
    (3, (1, 1), 5, 7, 3, 4),
    (3, (0, 0), 30, 12, 3, 2),
    (2, (0, 1), 7, 9, 4, 3),
    (3, (1, 1), 34, 40, 2, 3),
    (4, (2, 2), 40, 33, 2, 1),
]


@pytest.mark.parametrize(("size", "padding", "height", "width", "channels", "features"), CONVOLUTIONS)
def test_convolve_and_its_gradients_are_pytorchs(size, padding, height, width, channels, features):
    x, kernel = draw((2, height, width, channels), size, features)
    wanted, change, *gradients = exact(x, kernel, padding)
    found, *slopes = with_gradients(lambda x, kernel: convolve(x, kernel, padding))(x, kernel, change)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    for slope, gradient in zip(slopes, gradients, strict=True):
        np.testing.assert_allclose(slope, gradient, rtol=1e-3, atol=1e-3)


def test_convolve_in_bfloat16_keeps_its_type():
    x, kernel, y = (jnp.ones(shape, jnp.bfloat16) for shape in ((1, 40, 40, 3), (3, 3, 3, 2), (1, 40, 40, 2)))
    found = with_gradients(lambda x, kernel: convolve(x, kernel, (1, 1)))(x, kernel, y)
    assert [value.dtype for value in found] == [jnp.bfloat16] * 3
