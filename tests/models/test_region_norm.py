"""Region normalisation's generator and layers: against plain PyTorch, and what they depend on."""

import functools

import jax
import numpy as np
import pytest
from comparison import close, error_of
from sean_variables import random_variables

from scan_jax.layers.region_norm import HoleNorm, LearnedRegionNorm
from scan_jax.models.region_norm import RegionNormGenerator

MODEL = RegionNormGenerator(width=4, blocks=2)
fill = jax.jit(MODEL.apply, static_argnames="train")


def inputs():
    known = np.ones((2, 32, 48, 1), np.float32)
    known[:, 8:20, 4:30], known[0, :, :9] = 0, 0
    return np.random.default_rng(5).random((2, 32, 48, 3), np.float32), known


@functools.cache
def variables():
    return random_variables(MODEL, *inputs(), train=False)


def test_it_equals_pytorch_in_training_and_an_image_at_a_time_besides():
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_layers import to_numpy, to_torch

    literal = functools.partial(torch_edge_connect.fill_by_regions, variables()["params"])
    given = tuple(map(to_torch, inputs()))
    together = to_numpy(literal(*given))
    alone = np.concatenate([to_numpy(literal(*(value[i : i + 1] for value in given))) for i in range(2)])
    close(fill(variables(), *inputs(), train=True), together)
    close(fill(variables(), *inputs(), train=False), alone)
    assert error_of(together, alone) > 1e-2, "statistics differ"


def maps():
    hole = np.zeros((2, 12, 10, 1), np.float32)
    hole[0, 2:8, 3:9] = 1  # the second image has none
    return 1 + 2 * np.random.default_rng(1).standard_normal((2, 12, 10, 6), np.float32), hole


def test_both_layers_equal_pytorch_and_so_do_their_gradients():
    oracles = pytest.importorskip("torch_edge_connect")
    from torch_layers import to_numpy, to_torch

    x, hole = maps()
    change = np.random.default_rng(2).standard_normal(x.shape, np.float32)
    pairs = (HoleNorm(), oracles.hole_norm, [hole]), (LearnedRegionNorm(), oracles.learned_norm, [])
    for layer, literal, others in pairs:
        variables = random_variables(layer, x, *others, train=False, scale=0.3)

        @jax.jit
        def both(x, layer=layer, variables=variables, others=others):
            found, back = jax.vjp(lambda x: layer.apply(variables, x, *others, train=True), x)
            return found, back(change)[0]

        y = to_torch(x).clone().requires_grad_(True)
        wanted = literal(variables["params"], y, *map(to_torch, others))
        wanted.backward(to_torch(change))
        for found, theirs in zip(both(x), (wanted, y.grad)):
            np.testing.assert_allclose(found, to_numpy(theirs), atol=1e-4)


def test_a_learned_region_that_is_empty_or_everything():
    x = maps()[0]
    variables = random_variables(LearnedRegionNorm(), x, train=False)
    none, whole = (
        jax.jit(functools.partial(LearnedRegionNorm(threshold).apply, train=False))(variables, x)
        for threshold in (1.1, 0.0)
    )
    assert np.isfinite(none).all()
    np.testing.assert_allclose(none, whole, atol=1e-5)  # one region of everything, whichever
