"""Convolutions padded as TensorFlow does, tap by tap in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.same_convolution import convolve_same, same_padding


def literal(x, kernel, stride, dilation):
    """Every output sums its taps; what lies outside the map is zero."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    batch, height, width, _ = x.shape
    reach = dilation * (kernel.shape[0] - 1) + 1
    before = [max((-(-side // stride) - 1) * stride + reach - side, 0) // 2 for side in (height, width)]
    y = np.zeros((batch, -(-height // stride), -(-width // stride), kernel.shape[3]))
    for row, column in np.ndindex(y.shape[1:3]):
        for i, j in np.ndindex(kernel.shape[:2]):
            at = row * stride + i * dilation - before[0], column * stride + j * dilation - before[1]
            if 0 <= at[0] < height and 0 <= at[1] < width:
                y[:, row, column] += x[:, at[0], at[1]] @ kernel[i, j]
    return y


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (3, 1, 4), (3, 1, 16)]
)
@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 2, 7, 4), (1, 1, 5, 2)])  # the last are small, see `_is_small`
def test_output_and_gradients(size, stride, dilation, shape):
    draw = np.random.default_rng(0)
    x = jnp.asarray(draw.normal(size=shape), jnp.float32)
    kernel = jnp.asarray(draw.normal(size=(size, size, shape[-1], 5)), jnp.float32)
    wanted = literal(x, kernel, stride, dilation)
    assert wanted.shape == (shape[0], -(-shape[1] // stride), -(-shape[2] // stride), 5)
    found, back = jax.vjp(lambda x, kernel: convolve_same(x, kernel, stride=stride, dilation=dilation), x, kernel)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    # It is linear in each: <change, A(direction)> = <A^T(change), direction>.
    change = jnp.asarray(draw.normal(size=wanted.shape), jnp.float32)
    to_x, to_kernel = back(change)
    other_x, other_kernel = draw.normal(size=x.shape), draw.normal(size=kernel.shape)
    np.testing.assert_allclose(
        np.sum(to_x * other_x), np.sum(change * literal(other_x, kernel, stride, dilation)), rtol=1e-3, atol=1e-2
    )
    np.testing.assert_allclose(
        np.sum(to_kernel * other_kernel),
        np.sum(change * literal(x, other_kernel, stride, dilation)),
        rtol=1e-3,
        atol=1e-2,
    )


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "wanted"),
    [(8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (8, 5, 2, (1, 2)), (7, 5, 2, (2, 2)), (1, 5, 2, (2, 2)), (8, 3, 1, (1, 1))],
)
def test_padding(size, kernel, stride, wanted):
    assert same_padding(size, kernel, stride) == wanted


def test_other_shapes_are_refused():
    kernel = jnp.zeros((3, 3, 1, 1))
    with pytest.raises(ValueError, match=r"\[k,k,C,D\]"):
        convolve_same(jnp.zeros((1, 8, 8, 2)), kernel, stride=2)
    with pytest.raises(ValueError, match="k odd"):
        convolve_same(jnp.zeros((1, 8, 8, 1)), jnp.zeros((4, 4, 1, 1)))
