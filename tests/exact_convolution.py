"""A convolution and its gradients as PyTorch has them in float64, and ours as one compiled program."""

import jax
import numpy as np
import pytest


def draw(shape, size, features):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, np.float32), rng.standard_normal((size, size, shape[3], features), np.float32)


def exact(x, kernel, rows, columns=None, stride=1, dilation=1):
    """For zeros before and after both axes: the output, a change of it in float32, its gradients to map and kernel."""
    torch = pytest.importorskip("torch")
    x, kernel = (torch.tensor(np.asarray(value)).double().requires_grad_() for value in (x, kernel))
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (*(columns or rows), *rows))
    taps = kernel.permute(3, 2, 0, 1).contiguous()
    y = torch.nn.functional.conv2d(padded, taps, None, stride, 0, dilation).permute(0, 2, 3, 1)
    change = np.random.default_rng(1).standard_normal(tuple(y.shape), np.float32)
    y.backward(torch.tensor(change).double())
    return y.detach().numpy(), change, x.grad.numpy(), kernel.grad.numpy()


def with_gradients(convolve):
    """A function of map, kernel and a change of the output: the output and both gradients."""

    @jax.jit
    def run(x, kernel, change):
        y, pull = jax.vjp(convolve, x, kernel)
        return y, *pull(change)

    return run


def assert_exact(convolve, x, kernel, *around, rtol=1e-4, atol=1e-4):
    """Of ours, a function of map and kernel: output and gradients are those of `exact`, whose arguments follow."""
    wanted, change, *gradients = exact(x, kernel, *around)
    found, *slopes = with_gradients(convolve)(x, kernel, change)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    for slope, gradient in zip(slopes, gradients, strict=True):
        np.testing.assert_allclose(slope, gradient, rtol=rtol, atol=atol)


def assert_keeps_bfloat16(convolve, *shapes):
    """Of ours: output and gradients have the type of map, kernel and change, which have these shapes."""
    given = [jax.numpy.ones(shape, jax.numpy.bfloat16) for shape in shapes]
    assert [value.dtype for value in with_gradients(convolve)(*given)] == [jax.numpy.bfloat16] * 3
