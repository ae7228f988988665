import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.layers.instance_norm import InstanceNorm

normalize = jax.jit(InstanceNorm().apply)
X = (np.random.default_rng(0).normal(size=(2, 5, 7, 3)) * 2).astype(np.float32)


@pytest.mark.parametrize(("offset", "options"), [(0, {}), (0, {"epsilon": 1e-3}), (100, {"epsilon": 1e-3})])
def test_it_is_its_definition(offset, options):
    x = X + np.float32(offset)
    wide = x.astype(np.float64)
    deviation = np.sqrt(wide.var((1, 2), keepdims=True) + options.get("epsilon", 1e-5))
    expected = (wide - wide.mean((1, 2), keepdims=True)) / deviation
    tolerances = {"rtol": 1e-4, "atol": 1e-5} if offset else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(jax.jit(InstanceNorm(**options).apply)({}, x), expected, **tolerances)


def test_a_constant_channel_becomes_zero_and_bfloat16_stays():
    assert not np.any(normalize({}, np.full((2, 5, 7, 3), 7, np.float32)))
    assert not np.any(normalize({}, np.ones((2, 1, 1, 3), np.float32)))
    assert jax.eval_shape(normalize, {}, X.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_other_ranks_are_refused():
    refused(r"\[B,H,W,C\]", InstanceNorm().apply, ({}, np.zeros((2, 3, 4))))
