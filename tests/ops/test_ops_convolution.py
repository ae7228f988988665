"""Partial convolution's rule for `known`, against a loop over windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.convolution import update_known


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


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.06, 1.0])
def test_known_where_any_known_pixel_lies_under_the_kernel(kernel_size, stride, share):
    known = (np.random.default_rng(0).random((2, 13, 10, 1)) < share).astype(np.float32)
    result = update_known(jnp.asarray(known), kernel_size, stride)
    np.testing.assert_array_equal(result, oracle(known, kernel_size, stride))


def test_dtype_is_kept_and_no_gradient_flows():
    known = jnp.ones((1, 5, 5, 1))
    assert update_known(known.astype(jnp.bfloat16), 3, 2).dtype == jnp.bfloat16
    np.testing.assert_array_equal(jax.grad(lambda k: update_known(k, 3, 1).sum())(known), 0.0)


@pytest.mark.parametrize(
    "shape,kernel_size,stride", [((5, 5, 1), 3, 1), ((1, 5, 5, 3), 3, 1), ((1, 5, 5, 1), 4, 1), ((1, 5, 5, 1), 3, 0)]
)
def test_wrong_inputs_are_named(shape, kernel_size, stride):
    with pytest.raises(ValueError, match="must be"):
        update_known(jnp.ones(shape), kernel_size, stride)
