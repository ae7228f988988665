"""The SCAN generator: shapes, sharing, and what it must not depend on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.models.scan import GeneratorSettings, ScanGenerator

SMALL = {"width": 4, "regions": 3, "blocks": 1}
MODEL = ScanGenerator(GeneratorSettings(**SMALL))


def inputs():
    known = np.ones((2, 32, 24, 1), np.float32)
    known[:, 8:20, 4:18] = 0
    return np.random.default_rng(5).random((2, 32, 24, 3), np.float32), known, np.arange(2)


def apply(model, params, image, known, seeds):
    return model.apply({"params": params}, image * known, known, jax.vmap(jax.random.key)(seeds))


@jax.jit
def fill(params, *given):
    """The stages, and the gradient of the last one's mean to the first convolution."""

    def last(first):
        enc1 = {**params["enc1"], "PartialConv_0": first}
        stages = apply(MODEL, {**params, "enc1": enc1}, *given)
        return stages[-1].mean(), stages

    gradient, stages = jax.grad(last, has_aux=True)(params["enc1"]["PartialConv_0"])
    return stages, gradient


def shapes(model):
    image, known, seeds = inputs()
    keys = jax.eval_shape(jax.vmap(jax.random.key), seeds)
    return jax.eval_shape(model.init, jax.random.key(0), image, known, keys)["params"]


@functools.cache
def params():
    """Of a generator whose SAN and CAN act: gamma, eta and the like start at zero, where nothing would be tested."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        if leaf.shape == ():
            return np.float32(0.3)
        scale = np.sqrt(1 / np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.1
        return (scale * rng.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree.map(draw, shapes(MODEL))


def test_two_stages_are_in_range_and_the_second_sees_the_first():
    stages, gradient = fill(params(), *inputs())
    assert [stage.shape for stage in stages] == [(2, 32, 24, 3)] * 2
    assert all(float(stage.min()) >= 0 and float(stage.max()) <= 1 for stage in stages)
    assert not np.allclose(stages[0], stages[1])
    assert float(jnp.abs(gradient["kernel"]).max()) > 0


def test_both_stages_share_one_decoder():
    made = shapes(MODEL)
    assert set(made) == {"enc1", "enc2", "dec"}
    assert [made[name]["PartialConv_0"]["kernel"].shape[0] for name in ("enc1", "enc2")] == [7, 5]


@pytest.mark.parametrize("kinds", [(), ("spatial",), ("channel",)])
def test_ablations_remove_their_parameters(kinds):
    made = shapes(ScanGenerator(GeneratorSettings(**SMALL, attention=kinds, stages=1)))
    assert set(made) == {"enc1", "dec"}
    assert {name.rstrip("012") for name in made["dec"]} == {"join", "rgb", *kinds}


@pytest.mark.slow
def test_bfloat16_stays_near_float32():
    model = ScanGenerator(GeneratorSettings(**SMALL, compute_dtype="bfloat16"))
    rough = jax.jit(functools.partial(apply, model))(params(), *inputs())[-1]
    assert rough.dtype == jnp.float32
    assert float(jnp.abs(fill(params(), *inputs())[0][-1] - rough).mean()) < 0.01
