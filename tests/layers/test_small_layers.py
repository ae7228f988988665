"""Batch normalisation with scale and shift against PyTorch's, in all modes; instance normalisation, reflection."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.layers.conv import JoinedConv
from scan_jax.layers.normalization import AffineBatchNorm, InstanceNorm
from scan_jax.layers.residual import reflect


def test_batch_norm_equals_pytorchs_and_frozen_statistics_stay():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    layer, reference = AffineBatchNorm(), torch.nn.BatchNorm2d(4)
    params = {"scale": rng.normal(size=4).astype(np.float32), "bias": rng.normal(size=4).astype(np.float32)}
    stats = {"norm": {"mean": np.zeros(4, np.float32), "variance": np.ones(4, np.float32)}}
    with torch.no_grad():
        reference.weight.copy_(torch.tensor(params["scale"]))
        reference.bias.copy_(torch.tensor(params["bias"]))
    variables = {"params": params, "batch_stats": stats}
    apply = jax.jit(layer.apply, static_argnames=("train", "mutable"))
    for train in (True, True, False):
        x = rng.normal(1, 2, size=(3, 5, 7, 4)).astype(np.float32)
        found, changed = apply(variables, x, train=train, mutable=("batch_stats",))
        if not train:
            jax.tree.map(np.testing.assert_array_equal, changed["batch_stats"], variables["batch_stats"])
        variables = {**variables, **changed}
        wanted = reference.train(train)(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variables["batch_stats"]["norm"]["mean"], reference.running_mean, rtol=1e-5)
    np.testing.assert_allclose(variables["batch_stats"]["norm"]["variance"], reference.running_var, rtol=1e-5)


def test_joining_is_a_convolution_of_the_joined_map_with_the_same_parameters():
    rng = np.random.default_rng(0)
    x, beside = rng.normal(size=(2, 3, 4, 5)).astype(np.float32), rng.normal(size=(2, 6, 8, 2)).astype(np.float32)
    joined = np.concatenate([x.repeat(2, 1).repeat(2, 2), beside], axis=-1)
    reference = nn.Conv(3, (3, 3), padding=1, bias_init=nn.initializers.normal())
    variables = reference.init(jax.random.key(0), joined)
    wanted = reference.apply(variables, joined)
    np.testing.assert_allclose(JoinedConv(3).apply(variables, x, beside), wanted, atol=1e-5)


def test_one_layer_called_twice_moves_its_statistics_twice():
    layer, x = AffineBatchNorm(), np.random.default_rng(0).normal(1, 2, size=(2, 4, 4, 3)).astype(np.float32)
    variables = jax.jit(lambda: layer.init(jax.random.key(0), x, train=False))()

    def twice(module, x):
        return module(module(x, train=True), train=True)

    _, changed = jax.jit(lambda v: layer.apply(v, x, method=twice, mutable=["batch_stats"]))(variables)
    first = 0.1 * x.mean((0, 1, 2))
    np.testing.assert_allclose(changed["batch_stats"]["norm"]["mean"], 0.9 * first, rtol=1e-3, atol=1e-5)


normalize = jax.jit(InstanceNorm().apply)
X = (np.random.default_rng(0).normal(size=(2, 5, 7, 3)) * 2).astype(np.float32)


@pytest.mark.parametrize(("offset", "options"), [(0, {}), (0, {"epsilon": 1e-3}), (100, {"epsilon": 1e-3})])
def test_instance_norm_is_its_definition(offset, options):
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
    refused(r"\[B,H,W,C\]", InstanceNorm().apply, ({}, np.zeros((2, 3, 4))))


@pytest.mark.parametrize(("size", "pad"), [((5, 7), 1), ((4, 9), 3), ((3, 3), 2), ((8, 5), 2)])
def test_reflection_and_its_gradient(size, pad):
    rng, around = np.random.default_rng(0), ((0, 0), (pad, pad), (pad, pad), (0, 0))
    x = rng.standard_normal((2, *size, 3), np.float32)
    change = rng.standard_normal((2, size[0] + 2 * pad, size[1] + 2 * pad, 3), np.float32)

    @jax.jit
    def run(x, change):
        found, back = jax.vjp(lambda x: reflect(x, pad), x)
        return found, back(change)[0], jax.vjp(lambda x: jnp.pad(x, around, mode="reflect"), x)[1](change)[0]

    found, slope, wanted = run(x, change)
    np.testing.assert_array_equal(found, np.pad(x, around, mode="reflect"))
    np.testing.assert_allclose(slope, wanted, atol=1e-5)
