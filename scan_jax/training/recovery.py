"""A run from its newest checkpoint to its last step; a bad step is undone, and the batches up to it are passed over."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from scan_jax.core.distributed import by_first
from scan_jax.core.errors import UserError
from scan_jax.core.sections import TrainingSettings
from scan_jax.core.types import Example
from scan_jax.methods.api import Trees, Variables
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.guard import BadStep, Guard, Incident, Incidents, plain
from scan_jax.training.loop import Callback, Loop
from scan_jax.training.scalars import forget_after, open_writers
from scan_jax.training.setup import Trainer
from scan_jax.training.step import TrainState

log = logging.getLogger(__name__)

CURES = "the last good checkpoint is kept. Lower the learning rate or the term's weight, or set an optimizer's clip"


@dataclasses.dataclass(frozen=True)
class Run:
    """What trains, on what, and where it is kept.

    Attributes:
      folder: of the run.
      settings: the config's.
      trainer: the method's.
      networks: that a new run begins with; None for random ones.
      frozen: weights that nothing trains, on the devices.
      batches_from: this process' part of the batches from a number on.
      members: the titles of the photographs of a batch, by its number.
      callbacks: now and then.
      checkpoints: of the run.
    """

    folder: Path
    settings: TrainingSettings
    trainer: Trainer
    networks: Variables | None
    frozen: Trees
    batches_from: Callable[[int], Generator[Example, None, None]]
    members: Callable[[int], Sequence[str]]
    callbacks: Sequence[Callback]
    checkpoints: Checkpoints


def train(run: Run) -> None:
    """Until the last step is done or the run is asked to stop; one that was complete already is only measured again.

    Raises:
      UserError: a step is bad again and again, or at all where the guard is disabled; a checkpoint cannot be written.
    """
    incidents, guard = Incidents(run.folder), Guard(run.settings.guard)
    bad: BadStep | None = None
    with open_writers(run.folder) as writers:
        loop = Loop(run.settings, run.checkpoints, writers, run.callbacks, guard)
        while True:
            state = run.trainer.start(run.checkpoints, run.networks)
            first = int(state.step)
            if bad is not None:
                _pass_over(run, incidents, bad, first)
                guard.forget_after(first)
            by_first(functools.partial(forget_after, run.folder, first))
            bad = _attempt(run, loop, state, incidents.passed_over(first))
            del state
            if bad is None:
                return
            if not run.settings.guard.enabled:
                raise UserError(f"{_what(bad)}; {CURES}, and start a new run folder")


def _attempt(run: Run, loop: Loop, state: TrainState, passed_over: int) -> BadStep | None:
    """From `state` on; what stopped it, without the memory that its traceback would hold."""
    if int(state.step) >= run.settings.steps:
        log.info("all %d steps are done", run.settings.steps)
        loop.call_back(run.settings.steps, state)
        return None
    loop.catch_up(int(state.step), state)
    with contextlib.closing(run.trainer.feed(run.batches_from(int(state.step) + passed_over))) as batches:
        try:
            loop.run(run.trainer.step_after, state, run.frozen, batches, run.trainer.key)
        except BadStep as bad:
            return bad.with_traceback(None)
    return None


def _pass_over(run: Run, incidents: Incidents, bad: BadStep, restored: int) -> None:
    """Notes a bad step, after which the run went back to `restored`.

    Raises:
      UserError: it went back there too often.
    """
    before, steps = incidents.passed_over(restored), bad.step - restored
    number = bad.step - 1 + before  # of the bad step's batch
    incident = Incident(
        step=bad.step,
        reason=bad.reason,
        scalars=plain(bad.scalars),
        photographs=run.members(number),
        restored=restored,
        first_batch=restored + before,
        passed_over=before + steps,
    )
    incidents.add(incident)
    by_first(incidents.write)
    if restored:
        run.checkpoints.pin(restored)
    times = incidents.returns_to(restored)
    where = f"python -m scan_jax replay --run={run.folder} looks into it"
    if times > run.settings.guard.retries:
        raise UserError(f"{_what(bad)}, after {times - 1} other tries from step {restored}; {CURES}; {where}")
    log.warning(
        "%s; back to step %d, passing over the next %d batches (try %d of %d); %s",
        *(_what(bad), restored, steps, times, run.settings.guard.retries, where),
    )


def _what(bad: BadStep) -> str:
    """Begins a message."""
    return f"{bad.reason} at step {bad.step}"
