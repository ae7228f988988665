"""Convolutions with a stride or a dilation, and their gradients, against PyTorch's in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from exact_convolution import draw, exact, with_gradients
from refusals import refused

from scan_jax.ops.strided_convolution import convolve_strided

# kernel, padding, stride, dilation, height, width, channels, features; even kernels on 16 channels are folded
CASES = [
    (7, 3, 2, 1, 16, 13, 3, 4),
    (3, 1, 2, 1, 8, 8, 5, 60),
    (4, 1, 2, 1, 10, 8, 16, 3),
    (4, 1, 2, 1, 11, 7, 16, 3),
    (4, 2, 2, 1, 6, 9, 17, 2),
    (4, 1, 2, 1, 8, 8, 3, 2),
    (3, 1, 3, 1, 11, 9, 16, 3),
    (3, 0, 3, 1, 5, 4, 16, 3),
    (3, 2, 1, 2, 8, 6, 5, 70),
    (3, 2, 1, 2, 7, 9, 3, 4),
    (3, 0, 1, 2, 9, 10, 3, 4),
    (5, 4, 1, 2, 5, 3, 2, 3),
    (3, 3, 1, 3, 8, 7, 2, 3),
    (3, 6, 1, 3, 4, 5, 2, 3),
    (7, 3, 1, 1, 9, 20, 3, 4),
]


@pytest.mark.parametrize(("size", "padding", "stride", "dilation", "height", "width", "channels", "features"), CASES)
def test_equals_pytorchs_with_its_gradients(size, padding, stride, dilation, height, width, channels, features):
    x, kernel = draw((2, height, width, channels), size, features)
    wanted, change, *gradients = exact(x, kernel, (padding, padding), None, stride, dilation)
    ours = with_gradients(lambda x, kernel: convolve_strided(x, kernel, padding, stride=stride, dilation=dilation))
    found, *slopes = ours(x, kernel, change)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    for slope, gradient in zip(slopes, gradients, strict=True):
        np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}])
def test_bfloat16_keeps_its_type(options):
    x, kernel = jnp.ones((1, 8, 8, 16), jnp.bfloat16), jnp.ones((4, 4, 16, 2), jnp.bfloat16)
    y = jnp.ones((1, 5, 5, 2) if "stride" in options else (1, 6, 6, 2), jnp.bfloat16)
    ours = with_gradients(lambda x, kernel: convolve_strided(x, kernel, 2, **options))
    assert [value.dtype for value in ours(x, kernel, y)] == [jnp.bfloat16] * 3


def test_what_it_cannot_do_is_refused():
    x, kernel = np.zeros((1, 4, 4, 4)), np.zeros((3, 3, 4, 2))
    refused("must be", convolve_strided, (x[..., :3], kernel, 1), (x, kernel[:, :2], 1))
    for options in ({"dilation": 2}, {"stride": 2, "dilation": 2}):
        refused("must be", convolve_strided, (x, kernel, 1), **options)
