"""Batch normalisation with scale and shift against PyTorch's, in training, with frozen statistics and in evaluation."""

import jax
import numpy as np
import pytest

from scan_jax.layers.affine_batch_norm import AffineBatchNorm

torch = pytest.importorskip("torch")


def test_equals_pytorchs_and_frozen_statistics_stay():
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


def test_one_layer_called_twice_moves_its_statistics_twice():
    layer, x = AffineBatchNorm(), np.random.default_rng(0).normal(1, 2, size=(2, 4, 4, 3)).astype(np.float32)
    variables = jax.jit(lambda: layer.init(jax.random.key(0), x, train=False))()

    def twice(module, x):
        return module(module(x, train=True), train=True)

    _, changed = jax.jit(lambda v: layer.apply(v, x, method=twice, mutable=["batch_stats"]))(variables)
    first = 0.1 * x.mean((0, 1, 2))
    np.testing.assert_allclose(changed["batch_stats"]["norm"]["mean"], 0.9 * first, rtol=1e-3, atol=1e-5)
