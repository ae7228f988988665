import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.instance_norm import InstanceNorm


def make(offset=0.0):
    return (np.random.default_rng(0).normal(size=(2, 5, 7, 3)) * 2 + offset).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_it_is_its_definition(offset):
    x = make(offset)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-3)
    np.testing.assert_allclose(InstanceNorm(epsilon=1e-3).apply({}, x), expected, rtol=1e-4, atol=1e-5)


def test_it_equals_pytorch():
    torch = pytest.importorskip("torch")
    x = make()
    expected = torch.nn.InstanceNorm2d(3)(torch.tensor(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(InstanceNorm().apply({}, x), expected, rtol=1e-5, atol=1e-6)


def test_a_constant_channel_becomes_zero_and_bfloat16_stays():
    assert not np.any(InstanceNorm().apply({}, jnp.full((1, 4, 3, 2), 7.0)))
    assert not np.any(InstanceNorm().apply({}, jnp.ones((2, 1, 1, 3))))
    assert InstanceNorm().apply({}, jnp.asarray(make(), jnp.bfloat16)).dtype == jnp.bfloat16


def test_other_ranks_are_refused():
    with pytest.raises(ValueError, match=r"\[B,H,W,C\]"):
        InstanceNorm().apply({}, jnp.zeros((2, 3, 4)))
