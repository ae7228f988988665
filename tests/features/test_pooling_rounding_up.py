"""Poolings whose last window hangs over the edge, against PyTorch's ceil_mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.features._pooling import max_pool_rounding_up


@pytest.mark.parametrize("shape", [(2, 7, 10, 3), (1, 2, 3, 1), (1, 8, 5, 2), (1, 9, 4, 1)])
def test_values_and_gradient_are_pytorchs(shape):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) - 2  # mostly negative: padding must not win
    found, pullback = jax.vjp(lambda x: max_pool_rounding_up(x, 3), x)
    t = torch.tensor(x).requires_grad_()
    expected = torch.nn.functional.max_pool2d(t.permute(0, 3, 1, 2), 3, 2, ceil_mode=True).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(found, expected.detach().numpy())
    weights = np.random.default_rng(1).normal(size=found.shape).astype(np.float32)
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(pullback(weights)[0], t.grad.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4, 1), (1, 1, 4, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"B,H,W,C|too small"):
        max_pool_rounding_up(jnp.zeros(shape), 3)
