"""Every method learns in bfloat16 what it learns in float32: products in 8 bits of mantissa, all that is kept in 24.

Both runs begin with the same networks, whose parameters were shaken, and see the same batches. Their first step differs
by the rounding of products alone: 5% of any loss weight would show, and batch statistics in bfloat16 are off by thirty
times as much. (SCAN's, which are taken after softmax over soft regions, would not show: tests/ops look at those.) Two
hundred steps later terms differ by some tenths of a percent, where another start differs by 1% to 14%.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import SMALL, portrait_batches, registered, shaken, small_method

from scan_jax.core.errors import UserError
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.training.trainer import Trainer

pytestmark = pytest.mark.slow
STEPS, LAST, BATCHES = 200, 50, 8
FIRST = 1e-3  # by how much terms and losses of the first step may be off, relative
START = 0
ADAM = {
    "generator": OptimizerSettings(1e-3, b1=0.9, b2=0.99, schedule="cosine", warmup=20, clip=1.0),
    "critic": OptimizerSettings(1e-4),
}


@dataclasses.dataclass(frozen=True)
class Case:
    size: int  # of the photographs
    shake: float  # standard deviation of what is added to all parameters to begin with
    last: dict  # by how much the terms' means over the last steps may be off, relative
    loss: dict = dataclasses.field(default_factory=dict)  # weights of terms where one would hide the others


CASES = {
    "scan": Case(32, 0.03, {"l1": 0.025, "adversarial": 0.005, "critic": 0.002}),
    "masked_attention": Case(
        64,
        0.1,
        {"pixel": 0.015, "feature_matching": 0.015, "semantic_attention": 0.005, "adversarial": 0.005, "critic": 0.002},
    ),
    "gated_conv": Case(32, 0.03, {"l1": 0.015, "adversarial": 0.02, "critic": 0.002}),
    "lama": Case(
        64,
        0.03,
        {"l1": 0.02, "adversarial": 0.01, "feature_matching": 0.04},
        {"feature_matching": 10.0},
    ),
}


def method_of(name, dtype):
    return small_method(name, compute_dtype=dtype, loss={**SMALL[name].get("loss", {}), **CASES[name].loss})


def trainer(name, dtype):
    method = method_of(name, dtype)
    settings = TrainingSettings(steps=STEPS, batch_size=2, optimizers=ADAM, ema_decay=0.99)
    return method, Trainer(method, settings, CASES[name].size, 0, jax.devices()[:1])


@functools.cache
def beginning(name):
    """In NumPy, for both."""
    return shaken(jax.device_get(trainer(name, "float32")[1].begin()), CASES[name].shake, START)


@functools.cache
def train(name, dtype):
    """The last state, and each step's scalars as arrays by name, [STEPS]."""
    method, ready = trainer(name, dtype)
    state, scalars = ready.own(jax.device_put(beginning(name), ready.shardings)), []
    batches = portrait_batches(method, BATCHES, size=CASES[name].size, batch_size=2, photographs=16)
    batches = [jax.device_put(batch, jax.devices()[0]) for batch in batches]
    for step in range(STEPS):
        state, found = ready.step_after(step)(state, {}, batches[step % BATCHES], ready.key)
        scalars.append(found)
    return state, jax.tree.map(lambda *values: np.stack(values), *jax.device_get(scalars))


def relative(found, wanted):
    return np.abs(found / wanted - 1)


@pytest.mark.parametrize("name", CASES)
def test_the_first_step_differs_by_rounding_alone(name):
    """And by so little that 5% of any weight would be seen."""
    full, half = train(name, "float32")[1], train(name, "bfloat16")[1]
    method = method_of(name, "float32")
    watched = [f"term/{term}" for term in CASES[name].last] + [f"loss/{update.name}" for update in method.updates]
    off = {key: float(relative(half[key][0], full[key][0])) for key in watched}
    print(f"\n{name}, first step: " + ", ".join(f"{key} {value:.1e}" for key, value in off.items()))
    assert max(off.values()) < FIRST, off
    assert max(off.values()) > 1e-6, "nothing was rounded to bfloat16"
    shares = {
        term: abs(weight * full[f"term/{term}"][0] / full["loss/generator"][0])
        for term, weight in method.weights.items()
    }
    assert all(0.05 * share > 2 * FIRST for term, share in shares.items() if term != "orthogonality"), shares


@pytest.mark.parametrize("name", CASES)
def test_two_hundred_steps_end_alike(name):
    full, half = train(name, "float32")[1], train(name, "bfloat16")[1]
    for term, limit in CASES[name].last.items():
        wanted, found = (scalars[f"term/{term}"][-LAST:].mean() for scalars in (full, half))
        print(f"\n{name}, last {LAST} steps: {term} {wanted:.4f}, in bfloat16 {found:.4f}: {found / wanted - 1:+.1%}")
        assert relative(found, wanted) < limit, term
    learned = {"masked_attention": "term/pixel"}.get(name, "term/l1")
    assert half[learned][-LAST:].mean() < 0.8 * half[learned][0], "it learns"


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept_stays_float32_and_finite(name):
    state, scalars = train(name, "bfloat16")
    floating = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert {leaf.dtype for leaf in floating} == {jnp.dtype("float32")}
    assert all(np.isfinite(leaf).all() for leaf in jax.device_get(floating))
    assert all(np.isfinite(values).all() for values in scalars.values())
    assert int(state.step) == STEPS


def has_dtype(name):
    try:
        return bool(small_method(name, compute_dtype="bfloat16"))
    except UserError:
        return False


def test_every_method_that_has_a_dtype_is_compared():
    assert set(CASES) == {name for name in registered() if has_dtype(name)}
    assert registered() == set(SMALL)
