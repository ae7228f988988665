"""One training step: the method's turns in order, then the moving average. Pure; `compile_step` jits and shards it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from scan_jax.methods.api import Method, Trees, Turn
from scan_jax.training.state import GENERATOR, TrainState, trained_by
from scan_jax.types import Array, Example

Scalars = Mapping[str, Array]
Step = Callable[[TrainState, Trees, Example, Array], tuple[TrainState, Scalars]]


def make_step(method: Method, optimizers: Mapping[str, optax.GradientTransformation], ema_decay: float) -> Step:
    """The step as a pure function `(state, frozen, example, key) -> state, scalars`.

    Args:
      method: whose turns are taken.
      optimizers: by turn.
      ema_decay: of the generator's moving average, once warm: it begins at 0.1 and rises with the step, so that a short
        run does not average its own random start.
    """

    def step(state: TrainState, frozen: Trees, example: Example, key: Array) -> tuple[TrainState, Scalars]:
        rng, carried, scalars = jax.random.fold_in(key, state.step), None, {}
        for index, turn in enumerate(method.turns):
            turn_rng = jax.random.fold_in(rng, index)
            state, carried, found = _take(turn, optimizers[turn.name], state, frozen, example, carried, turn_rng)
            scalars.update(found)
        count = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1 + count) / (10 + count))
        ema = optax.incremental_update({GENERATOR: state.params[GENERATOR]}, state.ema, 1 - decay)
        return dataclasses.replace(state, step=state.step + 1, ema=ema), scalars

    return step


def _take(
    turn: Turn,
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
    gradient_of = jax.value_and_grad(turn.loss, has_aux=True)
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
