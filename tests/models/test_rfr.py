"""RFR's generator: against its literal form in PyTorch, and what it must not depend on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import close
from lively_variables import lively_variables

from scan_jax.models.rfr import Rfr, merge

MODEL = Rfr(width=8, recurrences=2)
apply = jax.jit(MODEL.apply, static_argnames=("train", "mutable"))


def inputs():
    rng = np.random.default_rng(1)
    image, known = rng.random((2, 48, 32, 3), np.float32), np.float32(rng.random((2, 48, 32, 1)) > 0.2)
    known[:, 3:45, 4:30] = 0  # not all is filled after the last recurrence
    return image, known


@functools.cache
def variables():
    return lively_variables(MODEL, *inputs(), train=False)


def test_it_equals_the_literal_form_in_training_and_evaluation():
    """The statistics move in training alone."""
    pytest.importorskip("torch")
    from torch_layers import Norms, to_numpy, to_torch
    from torch_rfr import rfr

    ours = variables()
    norms = Norms(ours["batch_stats"])
    for train in (True, False):
        found, changed = apply(ours, *inputs(), train=train, mutable=("batch_stats",))
        ours = {**ours, **changed}
        close(found, to_numpy(rfr(ours["params"], norms, *map(to_torch, inputs()), train, 2)))
        norms.equal(ours["batch_stats"])


def test_merging_is_the_mean_over_those_that_know():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(4, 2, 3, 5, 2)).astype(np.float32)
    knowns = (rng.random((4, 2, 3, 5, 1)) > 0.5).astype(np.float32)
    counts = knowns.sum(0)
    wanted = np.where(counts > 0, (maps * knowns).sum(0) / np.maximum(counts, 1), 0)
    np.testing.assert_allclose(merge(list(map(jnp.asarray, maps)), list(map(jnp.asarray, knowns))), wanted, atol=1e-5)
