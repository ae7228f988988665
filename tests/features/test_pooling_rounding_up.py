"""Poolings: whole windows against PyTorch's, and those that hang over the edge against its ceil_mode."""

import functools

import jax
import numpy as np
import pytest
from refusals import refused

from scan_jax.features._pooling import max_pool, max_pool_rounding_up

CASES = [
    *((max_pool, size, False, shape) for size in (2, 3) for shape in ((2, 7, 10, 3), (1, 3, 3, 1), (1, 8, 5, 2))),
    *((max_pool_rounding_up, 3, True, shape) for shape in ((2, 7, 10, 3), (1, 2, 3, 1), (1, 8, 5, 2), (1, 9, 4, 1))),
]


@pytest.mark.parametrize(("ours", "size", "up", "shape"), CASES)
def test_values_and_gradient_are_pytorchs(ours, size, up, shape):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) - 2  # mostly negative: padding must not win
    t = torch.tensor(x).requires_grad_()
    expected = torch.nn.functional.max_pool2d(t.permute(0, 3, 1, 2), size, 2, ceil_mode=up).permute(0, 2, 3, 1)
    weights = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(np.float32)

    @jax.jit
    def run(x, weights):
        found, pull = jax.vjp(functools.partial(ours, size=size), x)
        return found, *pull(weights)

    found, slope = run(x, weights)
    np.testing.assert_array_equal(found, expected.detach().numpy())
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(slope, t.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_other_shapes_are_refused():
    for ours in (max_pool, max_pool_rounding_up):
        refused("B,H,W,C", ours, (np.zeros((4, 4, 1)), 3))
        refused("too small", ours, (np.zeros((1, 1, 4, 1)), 3))
