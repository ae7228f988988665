"""Partial convolution's rule for `known`, against a loop over windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


def literal_convolution(x, kernel, padding):
    """Every tap times the map it sees, in float64."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    padded = np.pad(x, ((0, 0), padding, padding, (0, 0)))
    size = kernel.shape[0]
    height, width = (side - size + 1 for side in padded.shape[1:3])
    taps = np.ndindex(size, size)
    return sum(np.einsum("bhwc,cd->bhwd", padded[:, i : i + height, j : j + width], kernel[i, j]) for i, j in taps)


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
def test_convolve_and_its_gradients_equal_the_literal_ones(size, padding, height, width, channels, features):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, height, width, channels))
    kernel = jax.random.normal(keys[1], (size, size, channels, features))
    wanted = literal_convolution(x, kernel, padding)
    found, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, padding), x, kernel)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    change = jax.random.normal(keys[2], wanted.shape)
    to_map, to_kernel = pull(change)
    direction = np.asarray(change, np.float64)
    # linear in either argument: <gradient, unit> is <convolution with the unit, direction>
    for found, given, place in ((to_map, x, 0), (to_kernel, kernel, 1)):
        for index in np.random.default_rng(0).integers(0, given.shape, (12, given.ndim)):
            unit = np.zeros(given.shape)
            unit[tuple(index)] = 1
            wanted = literal_convolution(*((unit, kernel) if place == 0 else (x, unit)), padding)
            assert found[tuple(index)] == pytest.approx(np.vdot(wanted, direction), rel=1e-3, abs=1e-3)


def test_convolve_in_bfloat16_keeps_its_type():
    x, kernel = jnp.ones((1, 40, 40, 3), jnp.bfloat16), jnp.ones((3, 3, 3, 2), jnp.bfloat16)
    found, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, (1, 1)), x, kernel)
    assert found.dtype == jnp.bfloat16
    assert [gradient.dtype for gradient in pull(found)] == [jnp.bfloat16, jnp.bfloat16]


@pytest.mark.parametrize("kernel", [(3, 3, 5, 2), (3, 2, 4, 2), (3, 3, 4)])
def test_convolve_refuses_wrong_shapes(kernel):
    with pytest.raises(ValueError, match="must be"):
        convolve(jnp.zeros((1, 4, 4, 4)), jnp.zeros(kernel), (1, 1))
