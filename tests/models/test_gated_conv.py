"""Gated convolution's networks: against their literal form in PyTorch, and what they must not depend on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import close
from sean_variables import random_variables

from scan_jax.models.discriminators import SnPatchGan
from scan_jax.models.gated_conv import GatedConvGenerator

MODEL = GatedConvGenerator(width=8)


def inputs(height=24, width=72):
    """So wide that every dilation reaches another pixel; each image has its own hole for the attention to look at."""
    known = np.ones((2, height, width, 1), np.float32)
    known[0, height // 4 :, : width // 3] = 0
    known[1, height // 2 : height // 2 + 5, width // 4 : -9] = 0
    return np.random.default_rng(1).random((2, height, width, 3), np.float32), known


def randomized(params, gain=1.5):
    """Weights that keep the scale of a map through gates, and biases that count."""
    draw = np.random.default_rng(0)

    def random(leaf):
        if leaf.ndim == 1:
            return draw.uniform(-0.2, 0.2, leaf.shape).astype(np.float32)
        return (gain * draw.normal(size=leaf.shape) / np.prod(leaf.shape[:-1]) ** 0.5).astype(np.float32)

    return jax.tree.map(random, params)


@functools.cache
def params():
    return randomized(jax.eval_shape(MODEL.init, jax.random.key(0), *inputs())["params"])


@jax.jit
def fill(params, image, known):
    """Both stages and, of a loss that sees both, the gradient to every parameter."""

    def loss(params):
        stages = MODEL.apply({"params": params}, image, known)
        return sum(jnp.mean(jnp.square(stage - image)) for stage in stages), stages

    gradient, stages = jax.grad(loss, has_aux=True)(params)
    return stages, gradient


def test_the_generator_and_its_gradients_equal_pytorch():
    torch_gated_conv = pytest.importorskip("torch_gated_conv")
    from torch_layers import tensor, to_numpy, to_torch

    stages, gradient = fill(params(), *inputs())
    leaves = jax.tree.map(lambda leaf: tensor(leaf).requires_grad_(True), params())
    wanted = torch_gated_conv.fill(leaves, *map(to_torch, inputs()))
    close(stages, list(map(to_numpy, wanted)))
    assert min(float(jnp.std(stage)) for stage in stages) > 0.05, "something is painted"
    sum((stage - to_torch(inputs()[0])).square().mean() for stage in wanted).backward()
    close(gradient, jax.tree.map(lambda leaf: leaf.grad.numpy(), leaves), 1e-3)


def test_widths_are_the_papers():
    """4.1 million parameters, by the authors; a gated convolution has half of its channels come out."""
    image, known = (jax.ShapeDtypeStruct((1, 64, 64, channels), jnp.float32) for channels in (3, 1))
    params = jax.eval_shape(GatedConvGenerator().init, jax.random.key(0), image, known)["params"]
    assert params["coarse_encoder"]["conv1"]["kernel"].shape == (5, 5, 5, 48)
    assert params["coarse_encoder"]["conv2"]["kernel"].shape == (3, 3, 24, 96)
    assert params["fine_encoder"]["conv2"]["kernel"].shape == (3, 3, 24, 48)
    assert params["attentive_branch"]["conv9"]["kernel"].shape == (3, 3, 96, 192)
    assert params["fine_decoder"]["conv11"]["kernel"].shape == (3, 3, 192, 192)
    assert params["fine_decoder"]["conv17"]["kernel"].shape == (3, 3, 12, 3)
    assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 4.1


def test_bfloat16_stays_near_float32():
    rough = jax.jit(GatedConvGenerator(8, jnp.bfloat16).apply)({"params": params()}, *inputs())[-1]
    assert rough.dtype == jnp.float32
    assert float(jnp.abs(fill(params(), *inputs())[0][-1] - rough).mean()) < 0.01


def test_the_critic_equals_pytorch_and_its_spectral_norm_steps_in_training_alone():
    torch_gated_conv = pytest.importorskip("torch_gated_conv")
    from torch_layers import to_numpy, to_torch

    critic = SnPatchGan(width=4)
    variables = random_variables(critic, *inputs(), train=False)
    judge = jax.jit(critic.apply, static_argnames=("train", "mutable"))
    found, kept = judge(variables, *inputs(), train=False, mutable="spectral")
    wanted = torch_gated_conv.judge(variables, *map(to_torch, inputs()))
    assert found.shape == (2, 1, 2, 16)
    close(found, to_numpy(wanted))
    moved = judge(variables, *inputs(), train=True, mutable="spectral")[1]
    same = [jax.tree.map(np.array_equal, variables["spectral"], now["spectral"]) for now in (kept, moved)]
    assert all(jax.tree.leaves(same[0])) and not any(jax.tree.leaves(same[1]))
