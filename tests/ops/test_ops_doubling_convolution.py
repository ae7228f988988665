"""The two convolutions that double a map, against PyTorch's in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from exact_convolution import draw, with_gradients
from refusals import refused

from scan_jax.ops.doubling_convolution import convolve_doubling, shuffle_pixels

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (6, 5)])
def test_values_and_gradients_equal_pytorch(size):
    x, kernel = draw((2, *size, 3), 4, 6)
    change = np.random.default_rng(1).standard_normal((2, 2 * size[0], 2 * size[1], 6), np.float32)
    given = [torch.tensor(value).double().requires_grad_() for value in (x, kernel)]
    by_channel = given[0].permute(0, 3, 1, 2), given[1].permute(2, 3, 0, 1)
    wanted = torch.nn.functional.conv_transpose2d(*by_channel, stride=2, padding=1).permute(0, 2, 3, 1)
    wanted.backward(torch.tensor(change).double())
    found = with_gradients(convolve_doubling)(x, kernel, change)
    for ours, truth in zip(found, (wanted.detach(), given[0].grad, given[1].grad), strict=True):
        np.testing.assert_allclose(ours, truth.numpy(), atol=1e-4)


def test_pixels_are_dealt_out_as_pytorch_does():
    x = np.random.default_rng(0).random((2, 3, 5, 8), np.float32)
    wanted = torch.nn.functional.pixel_shuffle(torch.tensor(x.transpose(0, 3, 1, 2)), 2)
    np.testing.assert_array_equal(shuffle_pixels(jnp.asarray(x)), wanted.numpy().transpose(0, 2, 3, 1))


def test_wrong_shapes_are_refused():
    refused("kernel", convolve_doubling, (np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 3, 2))))
    refused("4C", shuffle_pixels, (np.zeros((1, 4, 4, 6)),))
