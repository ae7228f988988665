"""The two convolutions that double a map, against PyTorch and against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.doubling_convolution import convolve_doubling, shuffle_pixels


def draw(height=5, width=7):
    keys = jax.random.split(jax.random.key(0), 2)
    return jax.random.normal(keys[0], (2, height, width, 3)), jax.random.normal(keys[1], (4, 4, 3, 6))


def test_by_its_definition():
    x, kernel = (np.asarray(value, np.float64) for value in draw())
    wanted = np.zeros((2, 12, 16, 6))  # with a border of one
    for i in range(5):
        for j in range(7):
            for k in range(4):
                for m in range(4):
                    wanted[:, 2 * i + k, 2 * j + m] += x[:, i, j] @ kernel[k, m]
    found = jax.jit(convolve_doubling)(*draw())
    np.testing.assert_allclose(found, wanted[:, 1:-1, 1:-1], atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (6, 5)])
def test_values_and_gradients_equal_pytorch(size):
    torch = pytest.importorskip("torch")
    x, kernel = draw(*size)
    change = jax.random.normal(jax.random.key(1), (2, 2 * size[0], 2 * size[1], 6))
    found, back = jax.vjp(jax.jit(convolve_doubling), x, kernel)
    given = [torch.tensor(np.array(x).transpose(0, 3, 1, 2)), torch.tensor(np.array(kernel).transpose(2, 3, 0, 1))]
    for value in given:
        value.requires_grad_(True)
    wanted = torch.nn.functional.conv_transpose2d(*given, stride=2, padding=1)
    np.testing.assert_allclose(found, wanted.detach().numpy().transpose(0, 2, 3, 1), atol=1e-4)
    wanted.backward(torch.tensor(np.array(change).transpose(0, 3, 1, 2)))
    to_x, to_kernel = back(change)
    np.testing.assert_allclose(to_x, given[0].grad.numpy().transpose(0, 2, 3, 1), atol=1e-4)
    np.testing.assert_allclose(to_kernel, given[1].grad.numpy().transpose(2, 3, 0, 1), atol=1e-4)


def test_pixels_are_dealt_out_as_pytorch_does():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((2, 3, 5, 8), np.float32)
    wanted = torch.nn.functional.pixel_shuffle(torch.tensor(x.transpose(0, 3, 1, 2)), 2)
    np.testing.assert_array_equal(shuffle_pixels(jnp.asarray(x)), wanted.numpy().transpose(0, 2, 3, 1))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="kernel"):
        convolve_doubling(jnp.zeros((1, 4, 4, 3)), jnp.zeros((3, 3, 3, 2)))
    with pytest.raises(ValueError, match="4C"):
        shuffle_pixels(jnp.zeros((1, 4, 4, 6)))
