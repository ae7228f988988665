"""EdgeConnect's networks: against plain PyTorch with the same random weights, and what they must not depend on."""

import functools

import jax
import numpy as np
import pytest
from comparison import close
from sean_variables import random_variables

from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.models.edge_connect import EdgeConnectGenerator

MODEL = EdgeConnectGenerator(width=4, blocks=2)
fill = jax.jit(MODEL.apply, static_argnames=("train", "mutable"))


def inputs():
    rng = np.random.default_rng(5)
    image, noise = rng.random((2, 16, 32, 3), np.float32), rng.random((2, 16, 32, 1))
    known = np.ones((2, 16, 32, 1), np.float32)
    known[:, 4:12, 4:20] = 0
    return image, np.float32(noise > 0.8) * known, known


@functools.cache
def variables():
    return random_variables(MODEL, *inputs(), train=False)


def test_the_generator_equals_pytorch_in_training_and_evaluation():
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_layers import part, to_numpy, to_torch

    ours = variables()
    edge, completion = (torch_edge_connect.Transform(part(ours, name)) for name in ("edge", "completion"))
    for train in (False, True, True, False):
        found, changed = fill(ours, *inputs(), train=train, mutable=("spectral",))
        same = jax.tree.map(np.array_equal, changed, {"spectral": ours["spectral"]})
        assert any(jax.tree.leaves(same)) != train, "its norms hide a wrong scale"
        ours = {**ours, **changed}
        wanted = torch_edge_connect.fill_by_edges(edge.train(train), completion, *map(to_torch, inputs()))
        close(found, tuple(map(to_numpy, wanted)))


def test_the_critic_equals_pytorch_in_all_its_layers():
    """With kernels of 4 at PyTorch's strides, it sees 70 pixels."""
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_layers import to_numpy, to_torch

    model, x = PatchDiscriminator(4, input_range="unit"), np.random.default_rng(1).random((2, 40, 32, 2), np.float32)
    ours = random_variables(model, x, train=False)
    assert {layer["kernel"].shape[:2] for layer in ours["params"].values()} == {(4, 4)}
    judge = jax.jit(functools.partial(model.apply, method="activations"), static_argnames=("train", "mutable"))
    reference = torch_edge_connect.Critic(ours)
    for train in (True, False):
        found, changed = judge(ours, x, train=train, mutable=("spectral",))
        ours = {**ours, **changed}
        wanted = tuple(map(to_numpy, reference.train(train)(to_torch(x))))
        close(found, wanted)
    signed = jax.jit(functools.partial(PatchDiscriminator(4).apply, train=False))  # it sees images from minus one on
    close(signed(ours, (x + 1) / 2), wanted[-1])
