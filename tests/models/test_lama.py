"""LaMa's generator beside PyTorch's form of it, on random weights that the importer reads."""

import functools

import jax
import numpy as np
import pytest
from comparison import error_of

from scan_jax.core.device import compiler_options
from scan_jax.methods.api import build_method
from scan_jax.weights import import_lama


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("torch")
    from random_torch import randomize
    from torch_lama import Lama

    return randomize(Lama(width=8, blocks=2))


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("shape", [(256, 256), (72, 40)])
def test_it_equals_the_literal_form(tmp_path, network, train, shape):
    """In training, the statistics move alike."""
    import torch
    from torch_layers import to_numpy, to_torch

    torch.save({"state_dict": {f"generator.{name}": one for name, one in network.state_dict().items()}}, tmp_path / "a")
    tree, rng = import_lama.read(tmp_path / "a"), np.random.default_rng(0)
    section = import_lama.config(tree)["method"]
    assert section == {"name": "lama", "width": 8, "blocks": 2}
    image, known = rng.random((2, *shape, 3), np.float32), np.float32(rng.random((2, *shape, 1)) > 0.2)
    known[:, 10:30, 5:35] = 0
    with torch.no_grad():
        wanted = to_numpy(network.train(train)(to_torch(np.concatenate([image * known, 1 - known], -1))))
    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    apply = jax.jit(build_method(section).generator.apply, static_argnames=("train", "mutable"))
    found, changed = apply(variables, image, known, train=train, mutable=("batch_stats",))
    assert wanted.std() > 0.05 and error_of(found, wanted) < 1e-5
    torch.save(network.state_dict(), tmp_path / "a")
    after = import_lama.read(tmp_path / "a")["stats"]["generator"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), changed, after)


def test_big_lama_has_as_many_parameters_as_published():
    """51 million; and whatever is in a hole, a batch of any images does not matter: see `test_every_method`."""
    method = build_method({"name": "lama", "loss": {"perceptual": 0.0}})
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    known = jax.ShapeDtypeStruct((1, 64, 64, 1), np.float32)
    made = jax.eval_shape(lambda *given: method.generator.init(jax.random.key(0), *given, train=False), image, known)
    assert sum(leaf.size for leaf in jax.tree.leaves(made["params"])) == 50_975_875


@pytest.mark.slow
def test_big_lama_holds_little_at_once_on_one_cpu(monkeypatch):
    generator = build_method({"name": "lama", "loss": {"perceptual": 0.0}}).generator
    given = jax.ShapeDtypeStruct((1, 512, 512, 3), np.float32), jax.ShapeDtypeStruct((1, 512, 512, 1), np.float32)
    fill = functools.partial(generator.apply, train=False)
    variables = jax.eval_shape(functools.partial(generator.init, train=False), jax.random.key(0), *given)
    options = compiler_options(jax.devices())
    held = jax.jit(fill, compiler_options=options).lower(variables, *given).compile().memory_analysis()
    assert held.temp_size_in_bytes < 200 * 2**20  # 130 MiB; 706 by the order that XLA takes by itself
    assert not compiler_options(jax.devices() * 2)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_DEFAULT")
    assert not compiler_options(jax.devices())
