"""What a run is at a step: plain trees of arrays, nothing callable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from scan_jax.core.types import Array, Example
from scan_jax.methods.api import Method, Trees

GENERATOR = "generator"  # the network that fills holes; the only one with a moving average


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All that a checkpoint holds.

    Attributes:
      step: updates done, int32 scalar; it is the position in the data, too.
      params, stats: by network.
      opt: optimiser states by turn.
      ema: exponential moving average of the generator's parameters.
    """

    step: Array
    params: Trees
    stats: Trees
    opt: Mapping[str, Any]
    ema: Trees


def as_dict(state: TrainState) -> dict[str, Any]:
    """One level of the dataclass as a dict, which other programs can read without it; the trees below are dicts."""
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def trained_by(params: Trees, trains: tuple[str, ...]) -> dict[str, Any]:
    """The networks that a turn trains."""
    return {name: params[name] for name in trains}


def initial_state(
    method: Method, optimizers: Mapping[str, optax.GradientTransformation], example: Example, rng: Array
) -> TrainState:
    """The state at step 0.

    Args:
      method: whose variables are drawn.
      optimizers: by turn; a turn of a phase that is left out has none.
      example: gives the shapes.
      rng: a key.
    """
    variables = method.init(rng, example)
    params = dict(variables.params)
    trains = {turn.name: turn.trains for turn in method.turns}
    opt = {name: optimizer.init(trained_by(params, trains[name])) for name, optimizer in optimizers.items()}
    ema = {GENERATOR: jax.tree.map(jnp.copy, params[GENERATOR])}  # a copy: donated buffers must not be shared
    return TrainState(jnp.zeros((), jnp.int32), params, dict(variables.stats), opt, ema)
