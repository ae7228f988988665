"""A run: steps, logs, checkpoints and callbacks, from the newest checkpoint to the last step."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax

from scan_jax.core.distributed import is_first, on_process_zero
from scan_jax.core.errors import UserError, counted
from scan_jax.core.progress import progress_bar, telling, tells_of_compiling
from scan_jax.core.types import Example
from scan_jax.methods.api import Trees, Variables
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.guard import (
    BadStep,
    CollapseWatch,
    Guard,
    Incident,
    Incidents,
    Stepped,
    save_request,
    stop_request,
)
from scan_jax.training.scalars import ScalarWriters, forget_after
from scan_jax.training.sharding import Prefetch
from scan_jax.training.step import Scalars, TrainState
from scan_jax.training.trainer import Trainer

log = logging.getLogger(__name__)

CURES = "the last good checkpoint is kept. Lower the learning rate or the term's weight, or set an optimizer's clip"
PSNR = "eval/psnr/"  # begins the scalars, one for each bucket of hole sizes, whose mean says which checkpoint is best
SLOW_DATA = 0.05  # the share of the time from which the bar says that a run waits for its data


@dataclasses.dataclass(frozen=True)
class Callback:
    """Something to do with the state now and then: `act(step, state)` every `every` steps and at the end; 0 is never.

    `is_done(step)` says whether what is due after a step was done before the run was killed, as files show.

    What it returns is written with the scalars, and the checkpoints of steps with a PSNR are ranked by it.
    """

    every: int
    act: Callable[[int, TrainState], Mapping[str, float]]
    is_done: Callable[[int], bool] = lambda step: True


def due(step: int, every: int, last: int) -> bool:
    """Whether a thing that happens every `every` steps happens after `step`."""
    return bool(every) and (step % every == 0 or step == last)


class Pending:
    """Scalars of the steps since the last log, still on the device, so that the loop need not wait for each."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, Scalars]] = []

    def add(self, step: int, scalars: Scalars) -> None:
        """Keeps the scalars of the update that led to `step`, and waits for those of the one before.

        So the device always has work in hand, but the progress bar never runs ahead of it by more than a step.
        """
        self.wait()
        self._steps.append((step, scalars))

    def wait(self) -> None:
        """Waits for the last step, after which the device has nothing in hand."""
        if self._steps:
            jax.block_until_ready(self._steps[-1][1])

    def collect(self) -> list[Stepped]:
        """The pending steps with their scalars, on the host; they are then forgotten."""
        fetched, self._steps = jax.device_get(self._steps), []
        return [(step, {name: float(value) for name, value in scalars.items()}) for step, scalars in fetched]


def mean_scalars(steps: Sequence[Stepped]) -> dict[str, float]:
    """The mean of each scalar over those of some steps that have it; nothing of none."""
    values = collections.defaultdict[str, list[float]](list)
    for _, scalars in steps:
        for name, value in scalars.items():
            values[name].append(value)
    return {name: sum(each) / len(each) for name, each in values.items()}


class Inputs(Protocol):
    """What a run is made of; `scan_jax.commands.inputs` opens it."""

    @property
    def trainer(self) -> Trainer:
        """Of the method."""

    @property
    def frozen(self) -> Trees:
        """Weights that nothing trains, on the devices."""

    @property
    def networks(self) -> Variables | None:
        """What a new run begins with; None for random ones."""

    def batches_from(self, number: int) -> Generator[Example, None, None]:
        """This process' part of the batches from a number on."""

    def members(self, number: int) -> Sequence[str]:
        """The titles of the photographs of a batch."""


class Run:
    """A run from its newest checkpoint to its last step; a bad step is undone, and the batches up to it are skipped."""

    def __init__(self, inputs: Inputs, folder: Path, checkpoints: Checkpoints, callbacks: Sequence[Callback]) -> None:
        """Reads what went wrong in earlier starts from the run's folder; a UserError where that is damaged."""
        self._inputs, self._trainer, self._settings = inputs, inputs.trainer, inputs.trainer.settings
        self._folder, self._checkpoints, self._callbacks = folder, checkpoints, callbacks
        self._incidents, self._guard, self._collapse = Incidents(folder), Guard(self._settings.guard), CollapseWatch()
        self._compiled: set[object] = set()  # steps that were taken

    def train(self) -> None:
        """Until the last step or a polite request to stop; of a complete run only what a kill left undone.

        UserError where a step is bad again and again, or at all where the guard is disabled, or a checkpoint cannot be
        written.
        """
        bad: BadStep | None = None
        with ScalarWriters(self._folder) as self._writers:
            while True:
                with telling("making the networks, or reading their checkpoint"):
                    state = self._trainer.start(self._checkpoints, self._inputs.networks)
                first = int(state.step)
                if bad is not None:
                    self._skip(bad, first)
                    self._guard.forget_after(first)
                on_process_zero(functools.partial(forget_after, self._folder, first))
                bad = self._attempt(state)
                del state
                if bad is None:
                    return
                if not self._settings.guard.enabled:
                    raise UserError(f"{bad}; {CURES}, and start a new run folder")

    def _attempt(self, state: TrainState) -> BadStep | None:
        """From `state` on; what stopped it, without the memory that its traceback would hold."""
        first, last = int(state.step), self._settings.steps
        if first >= last:
            log.info("all %s done", counted(last, "step is", "steps are"))
        # What was due where the run goes on, and what a kill kept from its end.
        self._call([callback for callback in self._due(first) if first and not callback.is_done(first)], first, state)
        if first >= last:
            return None
        number = first + self._incidents.skipped(first)
        with contextlib.closing(self._trainer.prefetch(self._inputs.batches_from(number))) as batches:
            try:
                self._take_steps(state, batches)
            except BadStep as bad:
                return bad.with_traceback(None)
        return None

    def _take_steps(self, state: TrainState, batches: Prefetch) -> None:
        """From `state` to the last step, or to the one at which the run was asked to stop.

        BadStep where no checkpoint was made since; UserError where a checkpoint cannot be written.
        """
        settings, first, last = self._settings, int(state.step), self._settings.steps
        pending, meter, frozen, key = Pending(), _Meter(settings.batch_size), self._inputs.frozen, self._trainer.key
        progress = progress_bar(
            total=last, initial=first, disable=not is_first(), unit="step", mininterval=1.0, smoothing=0.05
        )
        # Whatever ends the loop, a checkpoint that is being written is finished first.
        keeping, quiet = self._checkpoints.finished(), jax.transfer_guard("disallow")
        with keeping, stop_request() as stops_after, save_request() as saves_now, progress, quiet:
            for done in range(first + 1, last + 1):
                batch = _take(batches, pending, meter)
                state, scalars = self._step_after(done - 1)(state, frozen, batch, key)
                pending.add(done, scalars)
                progress.update()
                with jax.transfer_guard("allow"):
                    if due(done, settings.log_every, last):
                        self._log(done, pending, meter, progress)
                    if self._is_kept(done) or saves_now():
                        self._save(done, state, pending, meter, progress)
                    if callbacks := self._due(done):
                        self._call(callbacks, done, state)
                        meter.reset()
                    if stops_after(done):
                        self._save(done, state, pending, meter, progress)
                        break

    def _step_after(self, done: int) -> Callable[..., tuple[TrainState, Scalars]]:
        """The step that follows on so many, which says so where compiling it takes long."""
        step = self._trainer.step_after(done)
        if step in self._compiled:
            return step
        self._compiled.add(step)
        return tells_of_compiling("a training step", step)

    def _log(self, done: int, pending: Pending, meter: _Meter, progress: Any) -> None:
        """Writes the means of the pending scalars, if any, and shows the terms on the bar."""
        self._checkpoints.check()
        steps = pending.collect()
        self._guard.read(steps)
        if scalars := mean_scalars(steps):
            rates = meter.rates()
            self._writers.write(done, {**scalars, **rates})
            self._collapse.read(done, scalars)
            shown = {name.removeprefix("term/"): f"{v:.3g}" for name, v in scalars.items() if name.startswith("term/")}
            progress.set_postfix({"images/s": f"{rates['images_per_second']:.1f}", **_slow_data(rates), **shown})

    def _save(self, done: int, state: TrainState, pending: Pending, meter: _Meter, progress: Any) -> None:
        """Begins a checkpoint, once every step that led to it is known to be finite."""
        self._log(done, pending, meter, progress)
        self._checkpoints.save(done, state)

    def _due(self, done: int) -> list[Callback]:
        return [callback for callback in self._callbacks if due(done, callback.every, self._settings.steps)]

    def _call(self, callbacks: Sequence[Callback], done: int, state: TrainState) -> None:
        """Runs them, notes the PSNR, if any, for the checkpoint of the step, and writes their scalars."""
        for callback in callbacks:
            scalars = callback.act(done, state)
            psnr = [value for name, value in scalars.items() if name.startswith(PSNR)]
            if psnr:  # before the scalars, by which a resumed run knows that all of this was done
                self._checkpoints.score(done, sum(psnr) / len(psnr))
            self._writers.write(done, scalars)

    def _is_kept(self, done: int) -> bool:
        """Whether a checkpoint is made after `done` steps; one that may be the best, before it is measured."""
        settings = self._settings
        measured = settings.keep_best > 0 and due(done, settings.evaluate_every, settings.steps)
        return measured or due(done, settings.checkpoint_every, settings.steps) or done == settings.steps

    def _skip(self, bad: BadStep, restored: int) -> None:
        """Notes a bad step, after which the run went back to `restored`; a UserError where it did so too often."""
        incidents, retries = self._incidents, self._settings.guard.retries
        before, steps = incidents.skipped(restored), bad.step - restored
        incidents.add(
            Incident(
                step=bad.step,
                reason=bad.reason,
                # JSON has no NaN.
                scalars={name: value if math.isfinite(value) else str(value) for name, value in bad.scalars.items()},
                photographs=tuple(self._inputs.members(bad.step - 1 + before)),
                restored=restored,
                first_batch=restored + before,
                passed_over=before + steps,
            )
        )
        on_process_zero(incidents.write)
        if restored:
            self._checkpoints.pin(restored)
        times = incidents.returns_to(restored)
        where = f"python -m scan_jax replay --run={self._folder} looks into it"
        if times > retries:
            raise UserError(f"{bad}, after {times - 1} other tries from step {restored}; {CURES}; {where}")
        log.warning(
            "%s; back to step %d, passing over the next %s (try %d of %d); %s",
            *(bad, restored, counted(steps, "batch", "batches"), times, retries, where),
        )


def _take(batches: Prefetch, pending: Pending, meter: _Meter) -> Example:
    """The next batch. A device that still computes does not wait for it: the clock starts when that is done."""
    if not batches.ready:
        pending.wait()
    with meter.waiting():
        return next(batches)


def _slow_data(rates: Mapping[str, float]) -> dict[str, str]:
    """What the bar shows of the wait for data: nothing while it is small."""
    return {"data_wait": f"{rates['data_wait']:.0%}"} if rates["data_wait"] > SLOW_DATA else {}


class _Meter:
    """Throughput, and the share of time that the devices waited for their data, since the last reading."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self.reset()

    def reset(self) -> None:
        """Begins anew, as after an evaluation, which is no slow step."""
        self._start, self._waited, self._steps = time.perf_counter(), 0.0, 0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A context that counts as waiting for the data of a step."""
        self._steps += 1
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start

    def rates(self) -> dict[str, float]:
        """`images_per_second` and `data_wait` (a share of the time), then begins anew."""
        elapsed = max(time.perf_counter() - self._start, 1e-9)
        images = self._steps * self._batch_size
        rates = {"images_per_second": images / elapsed, "data_wait": self._waited / elapsed}
        self.reset()
        return rates
