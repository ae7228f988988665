"""Convolutions padded as TensorFlow does, and their gradients, against PyTorch's in float64."""

import numpy as np
import pytest
from exact_convolution import draw, exact, with_gradients
from refusals import refused

from scan_jax.ops.same_convolution import convolve_same, same_padding


def around(side, reach, stride):
    """Zeros before and after, for ceil(side / stride) outputs."""
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (3, 1, 4), (3, 1, 16)]
)
@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 2, 7, 4), (1, 1, 5, 2)])  # the last are small, see `_is_small`
def test_output_and_gradients(size, stride, dilation, shape):
    x, kernel = draw(shape, size, 5)
    reach = dilation * (size - 1) + 1
    rows, columns = (around(side, reach, stride) for side in shape[1:3])
    wanted, change, *gradients = exact(x, kernel, rows, columns, stride, dilation)
    assert wanted.shape == (shape[0], -(-shape[1] // stride), -(-shape[2] // stride), 5)
    ours = with_gradients(lambda x, kernel: convolve_same(x, kernel, stride=stride, dilation=dilation))
    for found, truth in zip(ours(x, kernel, change), (wanted, *gradients), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "wanted"),
    [(8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (8, 5, 2, (1, 2)), (7, 5, 2, (2, 2)), (1, 5, 2, (2, 2)), (8, 3, 1, (1, 1))],
)
def test_padding(size, kernel, stride, wanted):
    assert same_padding(size, kernel, stride) == wanted


def test_other_shapes_are_refused():
    refused(r"\[k,k,C,D\]", convolve_same, (np.zeros((1, 8, 8, 2)), np.zeros((3, 3, 1, 1))), stride=2)
    refused("k odd", convolve_same, (np.zeros((1, 8, 8, 1)), np.zeros((4, 4, 1, 1))))
