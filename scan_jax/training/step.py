"""One training step: updates in order, then the moving average. Pure; `trainer.Trainer` jits and shards it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.microbatching import AccumulationType, microbatch

from scan_jax.core.sections import Remat
from scan_jax.core.types import Array, Example
from scan_jax.methods.api import GENERATOR, Aux, Method, Trees, Update, UpdateLoss, Variables


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All that a checkpoint holds."""

    step: Array  # updates done, int32 scalar; it is the position in the data, too
    # params, stats: by network
    params: Trees
    stats: Trees
    opt: Mapping[str, Any]  # optimiser states by update
    ema: Trees  # exponential moving average of the generator's parameters


def as_dict(state: TrainState) -> dict[str, Any]:
    """One level of the dataclass as a dict, which other programs can read without it; the trees below are dicts."""
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def averaged(state: TrainState) -> Variables:
    """The networks as they fill holes: by their moving average, where they have one."""
    return Variables({**state.params, **state.ema}, state.stats)


def trained_by(params: Trees, trains: tuple[str, ...]) -> dict[str, Any]:
    """The networks that an update trains."""
    return {name: params[name] for name in trains}


def initial_state(
    method: Method, optimizers: Mapping[str, optax.GradientTransformation], example: Example, rng: Array
) -> TrainState:
    """The state at step 0; `optimizers` has none for an update of a phase that is left out."""
    variables = method.init(rng, example)
    params = dict(variables.params)
    trains = {update.name: update.trains for update in method.updates}
    opt = {name: optimizer.init(trained_by(params, trains[name])) for name, optimizer in optimizers.items()}
    ema = {GENERATOR: jax.tree.map(jnp.copy, params[GENERATOR])}  # a copy: donated buffers must not be shared
    return TrainState(jnp.zeros((), jnp.int32), params, dict(variables.stats), opt, ema)


Scalars = Mapping[str, Array]
Relay = Callable[[Trees], Trees]
Step = Callable[[TrainState, Trees, Example, Array], tuple[TrainState, Scalars]]


def make_step(
    updates: Sequence[Update],
    optimizers: Mapping[str, optax.GradientTransformation],
    ema_decay: float,
    *,
    accumulate: int = 1,
    remat: Remat = "nothing",
    gather: Relay = lambda trees: trees,
    scatter: Relay = lambda trees: trees,
) -> Step:
    """The step as a pure function `(state, frozen, example, key) -> state, scalars`.

    Args:
      updates: a method's, or those of one of its phases.
      optimizers: by update.
      ema_decay: of the generator's moving average, once warm: it begins at 0.1 and rises with the step, so that a short
        run does not average its own random start.
      accumulate: parts of a batch, one after the other.
      remat: what is computed again in the backward pass.
      gather: brings parameters that are split over devices, by network, to where they are used.
      scatter: brings gradients to where their parameters lie.
    """
    gradients = {
        update.name: in_parts(jax.value_and_grad(rematerialise(update.loss, remat), has_aux=True), accumulate)
        for update in updates
    }

    def step(state: TrainState, frozen: Trees, example: Example, key: Array) -> tuple[TrainState, Scalars]:
        rng, carried, scalars = jax.random.fold_in(key, state.step), None, dict[str, Array]()
        for index, update in enumerate(updates):
            update_rng = jax.random.fold_in(rng, index)
            whole = gather(state.params)
            trained = trained_by(whole, update.trains)
            others = {**frozen, **{name: tree for name, tree in whole.items() if name not in trained}}
            (loss, aux), gradient = gradients[update.name](trained, others, state.stats, example, carried, update_rng)
            state, norm = _apply(update, optimizers[update.name], state, scatter(gradient), aux.stats)
            carried = aux.carried
            scalars |= {f"loss/{update.name}": loss, f"gradient_norm/{update.name}": norm}
            scalars |= {f"term/{name}": term for name, term in aux.terms.items()}
        count = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1 + count) / (10 + count))
        ema = optax.incremental_update({GENERATOR: state.params[GENERATOR]}, state.ema, 1 - decay)
        return dataclasses.replace(state, step=state.step + 1, ema=ema), scalars

    return step


def _apply(
    update: Update, optimizer: optax.GradientTransformation, state: TrainState, gradient: Trees, stats: Trees
) -> tuple[TrainState, Array]:
    """The state after an update, and the norm of its gradient."""
    trained = trained_by(state.params, update.trains)
    deltas, opt = optimizer.update(gradient, state.opt[update.name], trained)
    updated = dataclasses.replace(
        state,
        params={**state.params, **optax.apply_updates(trained, deltas)},
        stats={**state.stats, **stats},
        opt={**state.opt, update.name: opt},
    )
    return updated, optax.tree.norm(gradient)


# As `jax.value_and_grad(update.loss, has_aux=True)`.
GradientOf = Callable[[Trees, Trees, Trees, Example, Any, Array], tuple[tuple[Array, Aux], Trees]]
MEAN, CONCAT = AccumulationType.MEAN, AccumulationType.CONCAT
EXAMPLE, CARRIED, PART = 3, 4, 6  # the arguments of `of_part` that have a batch axis


def in_parts(gradient_of: GradientOf, parts: int) -> GradientOf:
    """The same gradient, computed in `parts` and averaged.

    Part p has the examples p, p + parts, ..., so that examples stay on their devices, and a key of its own. Every part
    begins with the statistics of before the step, whose results are averaged: a power iteration is taken once, and a
    running mean is that of all parts. What is carried to the next update is that of the whole batch.
    """
    if parts == 1:
        return gradient_of

    def of_part(*arguments: Any) -> Any:
        *inputs, rng, part = arguments
        args: Any = (*inputs, jax.random.fold_in(rng, part[0]))
        return gradient_of(*args)

    def of_batch(trained: Trees, others: Trees, stats: Trees, example: Example, carried: Any, rng: Array) -> Any:
        size = example.image.shape[0]
        how: Any = (MEAN, Aux(MEAN, MEAN, CONCAT)), MEAN  # type: ignore[arg-type]
        split: Any = microbatch(of_part, (EXAMPLE, CARRIED, PART), size // parts, how)
        return split(trained, others, stats, example, carried, rng, jnp.arange(size) % parts)

    return of_batch


KEPT = ("conv_general_dilated", "dot_general")  # JAX's primitives whose results cost more to compute than to keep


def rematerialise(loss: UpdateLoss, what: Remat) -> UpdateLoss:
    """`loss`, whose gradient keeps less.

    "nothing" is `loss` itself; "activations" keeps the results of convolutions and products alone, and computes
    normalisations, activation functions and all else from them once more.
    """
    return loss if what == "nothing" else jax.checkpoint(loss, policy=_is_kept)  # type: ignore[return-value]


def _is_kept(primitive: Any, *_: Any, **__: Any) -> bool:
    """JAX's question for each operation; one function for all updates, so that JAX finds what they share."""
    return primitive.name in KEPT
