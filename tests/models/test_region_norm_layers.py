"""RN-B and RN-L against their literal form in PyTorch, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sean_variables import random_variables

from scan_jax.layers.region_norm import HoleNorm, LearnedRegionNorm

torch_edge_connect = pytest.importorskip("torch_edge_connect")


def draw():
    x = 1 + 2 * jax.random.normal(jax.random.key(1), (2, 12, 10, 6))
    hole = jnp.zeros((2, 12, 10, 1)).at[0, 2:8, 3:9].set(1)  # the second image has none
    return x, hole


def both(layer, literal, *maps):
    """Value and gradient to the map, of ours and of PyTorch's."""
    from torch_sean import to_numpy, to_torch

    variables = random_variables(layer, *maps, train=False, scale=0.3)
    change = np.random.default_rng(2).normal(size=maps[0].shape).astype(np.float32)
    apply = jax.jit(lambda x: layer.apply(variables, x, *maps[1:], train=True))
    found, back = jax.vjp(apply, maps[0])
    x = to_torch(maps[0]).requires_grad_(True)
    wanted = literal(variables["params"], x, *map(to_torch, maps[1:]))
    wanted.backward(to_torch(change))
    return (found, back(change)[0]), (to_numpy(wanted), to_numpy(x.grad))


def test_by_the_hole():
    found, wanted = both(HoleNorm(), torch_edge_connect.hole_norm, *draw())
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-4)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-4)


def test_by_a_learned_region():
    found, wanted = both(LearnedRegionNorm(), torch_edge_connect.learned_norm, draw()[0])
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-4)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-4)


def test_a_learned_region_that_is_empty_or_everything():
    x, _ = draw()
    variables = random_variables(LearnedRegionNorm(), x, train=False)
    for threshold in (0.0, 1.1):
        answer = LearnedRegionNorm(threshold).apply(variables, x, train=False)
        assert np.isfinite(answer).all()
    np.testing.assert_allclose(  # one region of everything, whichever
        LearnedRegionNorm(0.0).apply(variables, x, train=False), answer, atol=1e-5
    )


@pytest.mark.parametrize("train", [True, False])
def test_statistics_are_the_batch_s_in_training_alone(train):
    x, hole = draw()
    layer = HoleNorm()
    variables = random_variables(layer, x, hole, train=False)
    together = layer.apply(variables, x, hole, train=train)[:1]
    alone = layer.apply(variables, x[:1], hole[:1], train=train)
    assert np.allclose(together, alone, atol=1e-5) != train
