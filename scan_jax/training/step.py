"""One training step: the method's turns in order, then the moving average. Pure; `setup` jits and shards it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from scan_jax.methods.api import Method, Trees, Turn
from scan_jax.training.accumulation import GradientOf, in_parts
from scan_jax.training.remat import Remat, rematerialise
from scan_jax.training.state import GENERATOR, TrainState, trained_by
from scan_jax.types import Array, Example

Scalars = Mapping[str, Array]
Step = Callable[[TrainState, Trees, Example, Array], tuple[TrainState, Scalars]]


def make_step(
    method: Method,
    optimizers: Mapping[str, optax.GradientTransformation],
    ema_decay: float,
    *,
    accumulate: int = 1,
    remat: Remat = "nothing",
) -> Step:
    """The step as a pure function `(state, frozen, example, key) -> state, scalars`.

    Args:
      method: whose turns are taken.
      optimizers: by turn.
      ema_decay: of the generator's moving average, once warm: it begins at 0.1 and rises with the step, so that a short
        run does not average its own random start.
      accumulate: parts of a batch, one after the other.
      remat: what is computed again in the backward pass.
    """
    gradients = {turn.name: _gradient(turn, accumulate, remat) for turn in method.turns}

    def step(state: TrainState, frozen: Trees, example: Example, key: Array) -> tuple[TrainState, Scalars]:
        rng, carried, scalars = jax.random.fold_in(key, state.step), None, {}
        for index, turn in enumerate(method.turns):
            turn_rng = jax.random.fold_in(rng, index)
            gradient_of, optimizer = gradients[turn.name], optimizers[turn.name]
            state, carried, found = _take(turn, gradient_of, optimizer, state, frozen, example, carried, turn_rng)
            scalars.update(found)
        count = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1 + count) / (10 + count))
        ema = optax.incremental_update({GENERATOR: state.params[GENERATOR]}, state.ema, 1 - decay)
        return dataclasses.replace(state, step=state.step + 1, ema=ema), scalars

    return step


def _gradient(turn: Turn, accumulate: int, remat: Remat) -> GradientOf:
    """Of a turn's loss by what it trains."""
    return in_parts(jax.value_and_grad(rematerialise(turn.loss, remat), has_aux=True), accumulate)


def _take(
    turn: Turn,
    gradient_of: GradientOf,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    frozen: Trees,
    example: Example,
    carried: object,
    rng: Array,
) -> tuple[TrainState, object, dict[str, Array]]:
    """One turn: a gradient, an update of the networks it trains, and what it hands on."""
    trained = trained_by(state.params, turn.trains)
    others = {name: tree for name, tree in state.params.items() if name not in trained}
    (loss, aux), gradient = gradient_of(trained, {**frozen, **others}, state.stats, example, carried, rng)
    updates, opt = optimizer.update(gradient, state.opt[turn.name], trained)
    state = dataclasses.replace(
        state,
        params={**state.params, **optax.apply_updates(trained, updates)},
        stats={**state.stats, **aux.stats},
        opt={**state.opt, turn.name: opt},
    )
    norm = optax.tree.norm(gradient)
    scalars = {f"loss/{turn.name}": loss, f"gradient_norm/{turn.name}": norm}
    return state, aux.carried, {**scalars, **{f"term/{name}": term for name, term in aux.terms.items()}}
