"""RFR's generator: against its literal form in PyTorch, and what it must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lively_variables import lively_variables

from scan_jax.models.rfr import Rfr, merge

SMALL = Rfr(width=8, recurrences=3)


def inputs(batch=2, height=48, width=32):
    image = jax.random.uniform(jax.random.key(1), (batch, height, width, 3))
    known = (jax.random.uniform(jax.random.key(2), (batch, height, width, 1)) > 0.2).astype(jnp.float32)
    return image, known.at[:, 3:45, 4:30].set(0)  # not all is filled after the last recurrence


@pytest.fixture(scope="module")
def network():
    variables = lively_variables(SMALL, *inputs(), train=False)
    return variables, jax.jit(SMALL.apply, static_argnames=("train", "mutable"))


def test_equals_the_literal_form_in_training_and_evaluation(network):
    pytest.importorskip("torch")
    from torch_layers import Norms, to_numpy, to_torch
    from torch_rfr import rfr

    variables, apply = network
    norms = Norms(variables["batch_stats"])
    for train in (True, False):
        found, changed = apply(variables, *inputs(), train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        wanted = to_numpy(rfr(variables["params"], norms, *map(to_torch, inputs()), train, 3))
        assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted - wanted.mean()), train
    for path, (mean, variance) in norms.running.items():
        stats = variables["batch_stats"]
        for name in (*path, "norm"):
            stats = stats[name]
        np.testing.assert_allclose(stats["mean"], mean, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(stats["variance"], variance, rtol=1e-3, atol=1e-5)


def test_statistics_move_only_in_training(network):
    variables, apply = network
    before = jax.tree.leaves(variables["batch_stats"])
    for train in (True, False):
        _, changed = apply(variables, *inputs(), train=train, mutable=("batch_stats",))
        assert all(not np.array_equal(a, b) for a, b in zip(before, jax.tree.leaves(changed))) == train


def test_the_hole_has_no_influence(network):
    variables, apply = network
    image, known = inputs()
    other = jnp.where(known > 0, image, 5.0)
    found = apply(variables, image, known, train=False)
    np.testing.assert_array_equal(found, apply(variables, other, known, train=False))


def test_an_image_depends_on_neither_its_batch_nor_an_earlier_pass(network):
    variables, apply = network
    image, known = inputs()
    whole = apply(variables, image, known, train=False)
    alone = apply(variables, image[1:], known[1:], train=False)
    np.testing.assert_allclose(whole[1:], alone, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(apply(variables, image, known, train=False), whole)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    variables, apply = network
    image, known = inputs()
    assert np.isfinite(apply(variables, image, jnp.full_like(known, value), train=False)).all()


def test_every_recurrence_shares_its_weights():
    def shapes(recurrences):
        trees = jax.eval_shape(lambda: Rfr(8, recurrences).init(jax.random.key(0), *inputs(), train=False))
        return jax.tree.map(lambda leaf: leaf.shape, trees["params"], is_leaf=lambda leaf: hasattr(leaf, "shape"))

    assert shapes(1) == shapes(6)


def test_merging_is_the_mean_over_those_that_know():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(4, 2, 3, 5, 2)).astype(np.float32)
    knowns = (rng.random((4, 2, 3, 5, 1)) > 0.5).astype(np.float32)
    counts = knowns.sum(0)
    wanted = np.where(counts > 0, (maps * knowns).sum(0) / np.maximum(counts, 1), 0)
    np.testing.assert_allclose(merge(list(map(jnp.asarray, maps)), list(map(jnp.asarray, knowns))), wanted, atol=1e-5)


def test_sizes_must_fit_the_stride():
    with pytest.raises(ValueError, match="multiples of 16"):
        jax.eval_shape(lambda: SMALL.init(jax.random.key(0), *inputs(height=40), train=False))
