"""From settings and a method to a state on the devices and a compiled step."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp
from jax.sharding import Mesh

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DAMAGE, first_line
from scan_jax.core.sections import TrainingSettings
from scan_jax.core.types import Array, Example
from scan_jax.methods.api import Method, Trees, Variables
from scan_jax.training import sharding
from scan_jax.training.checkpoints import Checkpoints, abstract
from scan_jax.training.loop import Feed
from scan_jax.training.optimizers import make_optimizer
from scan_jax.training.phases import Phase, phase_after, phases_of
from scan_jax.training.step import GENERATOR, TrainState, as_dict, initial_state, make_step

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """A method made ready to train.

    Attributes:
      mesh: the devices.
      shardings: where each array of the state lives.
      shapes: the state without its memory.
      example: a batch, likewise.
      parts: that a step takes one after the other.
      phases: of the training, one where the method knows no others.
      steps: one for each phase, jitted and sharded; it takes over its state's buffers.
      seed: of the run's key.
    """

    mesh: Mesh
    shardings: Any
    shapes: TrainState
    example: Example
    parts: int
    phases: tuple[Phase, ...]
    steps: tuple[Any, ...]
    seed: int
    _init: Any

    @functools.cached_property
    def key(self) -> Array:
        """The run's, on the devices."""
        return jax.jit(jax.random.key, static_argnums=0, out_shardings=sharding.replicated(self.mesh))(self.seed)

    def step_after(self, done: int) -> Any:
        """The step that follows on so many."""
        return self.steps[self.phases.index(phase_after(self.phases, done))]

    def trace(self, frozen: Trees) -> Any:
        """A step of the last phase as JAX traces it, to be counted or compiled, also for devices that are not there.

        Args:
          frozen: the method's `frozen_shapes()`.
        """
        return self.steps[-1].trace(self.shapes, frozen, self.example, jax.eval_shape(jax.random.key, self.seed))

    def start(self, checkpoints: Checkpoints, networks: Variables | None = None) -> TrainState:
        """The state that the newest readable checkpoint holds, or a fresh one, with `networks` where they are given."""
        restored = checkpoints.restore(abstract(self.shapes, self.shardings))
        if restored is not None:
            log.info("going on from step %d", int(restored.step))
            return self.own(restored)
        return self.begin(networks)

    def own(self, state: TrainState) -> TrainState:
        """A copy: the buffers of a restored state may be the reader's, and a step takes over its state's."""
        return jax.jit(_copy, out_shardings=self.shardings)(state)

    def begin(self, networks: Variables | None = None) -> TrainState:
        """The state at step 0: as `fresh`, but for `networks`, where some were trained before."""
        return self.fresh() if networks is None else self._begin_with(networks)

    def fresh(self) -> TrainState:
        """The state at step 0, drawn from the run's key."""
        return self._init(self.key)

    def _begin_with(self, networks: Variables) -> TrainState:
        state = self.fresh()
        params, stats = {**state.params, **networks.params}, {**state.stats, **networks.stats}
        ema = {GENERATOR: params[GENERATOR]}
        begun = jax.device_put(dataclasses.replace(state, params=params, stats=stats, ema=ema), self.shardings)
        return self.own(begun)

    def place(self, frozen: Trees) -> Trees:
        """Frozen weights on every device."""
        return jax.device_put(frozen, sharding.replicated(self.mesh))

    def share(self, batch: Any) -> Any:
        """A batch of any size, in NumPy: split over the devices where it divides among them, else whole on each."""
        sizes = {len(leaf) for leaf in jax.tree.leaves(batch)}
        divides = all(size % self.mesh.size == 0 for size in sizes)
        return jax.device_put(batch, sharding.batched(self.mesh) if divides else sharding.replicated(self.mesh))

    def feed(self, batches: Iterator[Example]) -> Feed:
        """Batches in NumPy as global arrays, made ahead of the steps; closing it closes `batches`."""
        return Feed(batches, functools.partial(sharding.to_devices, self.mesh))


def make_trainer(
    method: Method, settings: TrainingSettings, size: int, seed: int, devices: Sequence[Any] | None = None
) -> Trainer:
    """Compiles nothing yet: shapes, shardings and jitted functions.

    Args:
      method: what to train.
      settings: the config's.
      size: of the photographs, height and width.
      seed: of parameters, patches and all else that a step draws.
      devices: all that there are by default.

    Raises:
      UserError: optimisers or phases and turns do not match, or the batch does not divide among the devices.
    """
    mesh = sharding.make_mesh(settings.batch_size, settings.fsdp, devices, settings.accumulate)
    phases = phases_of(method.turns, settings.phases, settings.steps)
    optimizers = _optimizers(method, phases, settings)
    blank = functools.partial(_blank, settings.batch_size, size, method.num_labels)

    def init(rng: Array) -> TrainState:
        return initial_state(method, optimizers, blank(), rng)

    shapes = jax.eval_shape(lambda: init(jax.random.key(seed)))
    places = sharding.tree_shardings(mesh, shapes, settings.sharding)
    everywhere, split = sharding.replicated(mesh), sharding.batched(mesh)

    def jitted(phase: Phase) -> Any:
        step = make_step(
            phase.turns,
            optimizers,
            settings.ema_decay,
            accumulate=settings.accumulate,
            remat=settings.remat,
            gather=lambda trees: jax.lax.with_sharding_constraint(trees, everywhere),
            scatter=lambda trees: jax.lax.with_sharding_constraint(
                trees, {name: places.params[name] for name in trees}
            ),
        )
        given, found = (places, everywhere, split, everywhere), (places, everywhere)
        return jax.jit(step, donate_argnums=0, in_shardings=given, out_shardings=found)

    steps = tuple(jitted(phase) for phase in phases)
    example, begin = jax.eval_shape(blank), jax.jit(init, out_shardings=places)
    return Trainer(mesh, places, shapes, example, settings.accumulate, phases, steps, seed, begin)


def _optimizers(
    method: Method, phases: Sequence[Phase], settings: TrainingSettings
) -> dict[str, optax.GradientTransformation]:
    """One for each turn that is taken; what its learning rate ends with is the end of its phase."""
    turns = {turn.name: phase.length if turn.phase else settings.steps for phase in phases for turn in phase.turns}
    for name in turns:
        if name not in settings.optimizers:
            raise UserError(f"config.training.optimizers.{name} is missing; the method's turns are {list(turns)}")
    for name in settings.optimizers:
        if name not in turns and name not in method.networks:
            log.info("config.training.optimizers.%s is not used%s", name, did_you_mean(name, turns))
    return {name: make_optimizer(settings.optimizers[name], steps) for name, steps in turns.items()}


def _blank(batch_size: int, size: int, num_labels: int) -> Example:
    """An example of the right shapes, with labels where the method takes them."""
    arrays: dict[str, Any] = {
        "image": jnp.zeros((batch_size, size, size, 3), jnp.float32),
        "known": jnp.ones((batch_size, size, size, 1), jnp.float32),
        "labels": jnp.zeros((batch_size, size, size), jnp.int32) if num_labels else None,
    }
    return Example(**arrays)


def _copy(state: TrainState) -> TrainState:
    return jax.tree.map(lambda leaf: leaf.copy(), state)


def state_at(trainer: Trainer, folder: Path, step: int, networks: Variables | None) -> TrainState:
    """What a run was after `step`; nothing in the folder is changed.

    Args:
      trainer: of the run.
      folder: of its checkpoints.
      step: one that has a checkpoint, or 0 for the begin.
      networks: that the run began with, if not with random ones.

    Raises:
      UserError: the checkpoint is gone or cannot be read.
    """
    if step == 0:
        return trainer.begin(networks)
    like = as_dict(abstract(trainer.shapes, trainer.shardings))
    try:
        with ocp.StandardCheckpointer() as reader:
            restored = reader.restore(folder / str(step) / "state", like)
    except DAMAGE as error:
        raise UserError(f"checkpoint {step} in {folder} cannot be read ({first_line(error)})") from error
    return trainer.own(TrainState(**restored))
