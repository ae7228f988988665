"""From settings and a method to a state on the devices and a compiled step."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from scan_jax.core.config import did_you_mean
from scan_jax.core.device import compiler_options
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DAMAGE, first_line
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.core.types import Array, Example, require_32_bits
from scan_jax.methods.api import GENERATOR, Method, Trees, Update, Variables, require_size
from scan_jax.training import sharding
from scan_jax.training.checkpoints import Checkpoints, abstract, read_state
from scan_jax.training.step import TrainState, initial_state, make_step

log = logging.getLogger(__name__)


class Trainer:
    """A method made ready to train on the devices of its `mesh`; nothing is compiled before its first step.

    `example` are the shapes of a batch, `shapes` those of the state, `shardings` where each array of it lives; `steps`
    are jitted, one for each of `phases`, of which there is one where the method knows no others.
    """

    def __init__(
        self, method: Method, settings: TrainingSettings, size: int, seed: int, devices: Sequence[Any] | None = None
    ) -> None:
        """Shapes, shardings and jitted functions; `size` is the height and width of the photographs.

        `seed` is of parameters, patches and all else that a step draws; without `devices` it takes all that there are.
        UserError where optimisers or phases and updates do not match, the batch does not divide among the devices, or
        the method cannot be trained at this size.
        """
        require_32_bits()
        require_size(method, size)
        self.method, self.settings, self._seed = method, settings, seed
        self.mesh = sharding.make_mesh(settings.batch_size, settings.fsdp, devices, settings.accumulate)
        self.phases = phases_of(method.updates, settings.phases, settings.steps)
        optimizers, sides = _optimizers(method, self.phases, settings), (settings.batch_size, size, size)

        def blank() -> Example:
            labels = jnp.zeros(sides, jnp.int32) if method.num_labels else None
            return Example(jnp.zeros((*sides, 3), jnp.float32), jnp.ones((*sides, 1), jnp.float32), labels)

        def init(rng: Array) -> TrainState:
            return initial_state(method, optimizers, blank(), rng)

        self.example = jax.eval_shape(blank)
        self.shapes = jax.eval_shape(lambda: init(jax.random.key(seed)))
        self.shardings = sharding.tree_shardings(self.mesh, self.shapes, settings.sharding)
        self._init = jax.jit(init, out_shardings=self.shardings)
        self.steps = [self._jitted(phase, optimizers) for phase in self.phases]

    def _jitted(self, phase: Phase, optimizers: Mapping[str, optax.GradientTransformation]) -> Any:
        """The step of a phase; it takes over its state's buffers."""
        everywhere, split, places = sharding.replicated(self.mesh), sharding.batched(self.mesh), self.shardings
        anywhere = make_step(
            phase.updates,
            optimizers,
            self.settings.ema_decay,
            accumulate=self.settings.accumulate,
            remat=self.settings.remat,
            gather=lambda trees: jax.lax.with_sharding_constraint(trees, everywhere),
            scatter=lambda trees: jax.lax.with_sharding_constraint(
                trees, {name: places.params[name] for name in trees}
            ),
        )

        def step(*given: Any) -> Any:
            with jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh):  # sums over a batch ask how many share it
                return anywhere(*given)

        inputs, outputs = (places, everywhere, split, everywhere), (places, everywhere)
        options = compiler_options(list(self.mesh.devices.flat))
        return jax.jit(step, donate_argnums=0, in_shardings=inputs, out_shardings=outputs, compiler_options=options)

    @functools.cached_property
    def key(self) -> Array:
        """The run's, on the devices."""
        return jax.jit(jax.random.key, static_argnums=0, out_shardings=sharding.replicated(self.mesh))(self._seed)

    def step_after(self, done: int) -> Any:
        """The step that follows on so many: `(state, frozen, batch, key) -> state, scalars`."""
        return self.steps[self.phases.index(phase_after(self.phases, done))]

    def trace(self, frozen: Trees) -> Any:
        """A step of the last phase as JAX traces it, also for devices that are not there; `frozen` may be shapes."""
        return self.steps[-1].trace(self.shapes, frozen, self.example, jax.eval_shape(jax.random.key, 0))

    def start(self, checkpoints: Checkpoints, networks: Variables | None = None) -> TrainState:
        """The state that the newest readable checkpoint holds, or as `begin` has it."""
        restored = checkpoints.restore(abstract(self.shapes, self.shardings))
        if restored is None:
            return self.begin(networks)
        log.info("going on from step %d", int(restored.step))
        return self.own(restored)

    def state_at(self, folder: Path, step: int, networks: Variables | None = None) -> TrainState:
        """What the run whose checkpoints lie in `folder` was after `step`, which has one, or is 0: as `begin` has it.

        UserError where the checkpoint is gone or cannot be read.
        """
        if step == 0:
            return self.begin(networks)
        try:
            return self.own(read_state(folder, step, abstract(self.shapes, self.shardings)))
        except DAMAGE as error:
            raise UserError(f"checkpoint {step} in {folder} cannot be read ({first_line(error)})") from error

    def begin(self, networks: Variables | None = None) -> TrainState:
        """The state at step 0, drawn from the run's key, but for `networks`, where some were trained before."""
        state = self._init(self.key)
        if networks is None:
            return state
        params, stats = {**state.params, **networks.params}, {**state.stats, **networks.stats}
        ema = {GENERATOR: params[GENERATOR]}
        begun = dataclasses.replace(state, params=params, stats=stats, ema=ema)
        return self.own(jax.device_put(begun, self.shardings))

    def own(self, state: TrainState) -> TrainState:
        """A copy: the buffers of a restored state may be the reader's, and a step takes over its state's."""
        return jax.jit(_copy, out_shardings=self.shardings)(state)

    def place(self, frozen: Trees) -> Trees:
        """Frozen weights on every device."""
        return jax.device_put(frozen, sharding.replicated(self.mesh))

    def share(self, batch: Any) -> Any:
        """A batch of any size, in NumPy: split over the devices where it divides among them, else whole on each."""
        divides = all(len(leaf) % self.mesh.size == 0 for leaf in jax.tree.leaves(batch))
        return jax.device_put(batch, sharding.batched(self.mesh) if divides else sharding.replicated(self.mesh))

    def prefetch(self, batches: Iterator[Example]) -> sharding.Prefetch:
        """Batches in NumPy as global arrays, made ahead of the steps; closing it closes `batches`."""
        return sharding.Prefetch(batches, functools.partial(sharding.to_devices, self.mesh))


def _optimizers(
    method: Method, phases: Sequence[Phase], settings: TrainingSettings
) -> dict[str, optax.GradientTransformation]:
    """One for each update that is taken; what its learning rate ends with is the end of its phase."""
    updates = {
        update.name: phase.length if update.phase else settings.steps for phase in phases for update in phase.updates
    }
    for name in updates:
        if name not in settings.optimizers:
            raise UserError(f"config.training.optimizers.{name} is missing; the method's updates are {list(updates)}")
    for name in settings.optimizers:
        if name not in updates and name not in method.networks:
            log.info("config.training.optimizers.%s is not used%s", name, did_you_mean(name, updates))
    return {name: make_optimizer(settings.optimizers[name], steps) for name, steps in updates.items()}


def _copy(state: TrainState) -> TrainState:
    return jax.tree.map(lambda leaf: leaf.copy(), state)


WHERE = "config.training.phases"


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of steps that take the same updates."""

    name: str  # empty for a training without phases
    begin: int  # steps done before its first
    length: int  # in steps; the last one ends with the run
    updates: tuple[Update, ...]  # in their order


def updates_in(updates: Sequence[Update], phase: str) -> tuple[Update, ...]:
    """Those that steps of a phase take: its own, and those of the whole training."""
    return tuple(update for update in updates if update.phase in ("", phase))


def phases_of(updates: Sequence[Update], begins: Mapping[str, int], steps: int) -> tuple[Phase, ...]:
    """A method's phases in the order of its `updates`; one that has no begin is left out.

    `begins`, of `config.training.phases`, are the steps done before each, by name; one that would begin after `steps`,
    the run's, is never reached.
    """
    names = list(dict.fromkeys(update.phase for update in updates if update.phase))
    for name in begins:
        if name not in names:
            there_are = f"the method's phases are {', '.join(names)}" if names else "the method has no phases"
            raise UserError(f"{WHERE}.{name} is unknown{did_you_mean(name, names)}; {there_are}")
    if not names:
        return (Phase("", 0, steps, tuple(updates)),)
    chosen = [name for name in names if name in begins]
    if not chosen or begins[chosen[0]] != 0:
        raise UserError(
            f"{WHERE} says at which step each phase begins ({', '.join(names)}), and the first must begin at 0: "
            f"--{WHERE}.{(chosen or names)[0]}=0"
        )
    starts = [begins[name] for name in chosen]
    if any(after <= before for before, after in itertools.pairwise(starts)):
        raise UserError(f"{WHERE} must rise in the order {', '.join(chosen)}, not {starts}")
    ends = [*starts[1:], max(steps, starts[-1] + 1)]
    return tuple(
        Phase(name, start, end - start, updates_in(updates, name)) for name, start, end in zip(chosen, starts, ends)
    )


def phase_after(phases: Sequence[Phase], done: int) -> Phase:
    """That of the step which follows on `done` steps."""
    return [phase for phase in phases if phase.begin <= done][-1]


def learning_rate(settings: OptimizerSettings, steps: int) -> optax.Schedule:
    """The learning rate at each step of a run of `steps`."""
    height, rest = settings.learning_rate, max(steps - settings.warmup, 1)
    after = {
        "constant": optax.constant_schedule(height),
        "cosine": optax.cosine_decay_schedule(height, rest, settings.final_share),
    }[settings.schedule]
    if not settings.warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, height, settings.warmup), after], [settings.warmup])


def make_optimizer(settings: OptimizerSettings, steps: int) -> optax.GradientTransformation:
    """The optimiser as `settings` has it, for a run of `steps`."""
    rate = learning_rate(settings, steps)
    clip = optax.clip_by_global_norm(settings.clip) if settings.clip else optax.identity()
    if settings.algorithm == "muon":
        moments = {"adam_b1": settings.b1, "adam_b2": settings.b2}
        muon = optax.contrib.muon(rate, consistent_rms=0.2, muon_weight_dimension_numbers=_convolutions, **moments)
        return optax.chain(clip, muon)
    return optax.chain(
        clip,
        optax.scale_by_adam(settings.b1, settings.b2) if settings.algorithm == "adam" else optax.identity(),
        optax.clip_by_block_rms(settings.update_clip) if settings.update_clip else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


def _convolutions(params: Any) -> Any:
    """How Muon reads each array of `params` as a matrix: kernels [h,w,C,D] as [h*w*C,D], others not at all."""
    kernel = optax.contrib.MuonDimensionNumbers((0, 1, 2), 3)
    return jax.tree.map(lambda array: kernel if array.ndim == 4 else None, params)
