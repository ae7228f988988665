"""The training loop: it is handed its step, batches and callbacks, and sees to time, logs, checkpoints and bad news."""

from __future__ import annotations

import collections
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax

from scan_jax.core.distributed import is_first
from scan_jax.core.progress import progress_bar
from scan_jax.core.sections import TrainingSettings
from scan_jax.core.types import Array, Example
from scan_jax.methods.api import Trees
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.guard import CollapseWatch, Guard, Stepped, stop_request
from scan_jax.training.scalars import NoWriters, ScalarWriters
from scan_jax.training.step import Scalars, Step, TrainState

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
        fetched = [(step, jax.device_get(scalars)) for step, scalars in self._steps]
        self._steps = []
        return [(step, {name: float(value) for name, value in scalars.items()}) for step, scalars in fetched]


def mean_scalars(steps: Sequence[Stepped]) -> dict[str, float]:
    """The mean of each scalar over those of some steps that have it; nothing of none."""
    values = collections.defaultdict[str, list[float]](list)
    for _, scalars in steps:
        for name, value in scalars.items():
            values[name].append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}


class Loop:
    """Runs a step over batches until the last one or a polite request to stop."""

    def __init__(
        self,
        settings: TrainingSettings,
        checkpoints: Checkpoints,
        writers: ScalarWriters | NoWriters,
        callbacks: Sequence[Callback],
        guard: Guard,
    ) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._writers = writers
        self._callbacks = callbacks
        self._collapse, self._guard = CollapseWatch(), guard

    def run(
        self, step_after: Callable[[int], Step], state: TrainState, frozen: Trees, batches: Feed, key: Array
    ) -> TrainState:
        """From `state` to the last step.

        Args:
          step_after: the step that follows on so many, jitted; it takes over the state's buffers.
          state: where to begin.
          frozen: weights that nothing trains.
          batches: beginning with the batch of `state.step`.
          key: the run's, from which each step folds its own.

        Returns:
          The state after the last step, or after the one at which the run was asked to stop.

        Raises:
          BadStep: a loss or gradient leaped or is not finite; no checkpoint was made since.
          UserError: a checkpoint cannot be written.
        """
        settings, first, last = self._settings, int(state.step), self._settings.steps
        pending, meter = Pending(), _Meter(self._settings.batch_size)
        progress = _bar(first, last)
        # Whatever ends the loop, a checkpoint that is being written is finished first.
        with self._checkpoints.finished(), stop_request() as stop, progress, jax.transfer_guard("disallow"):
            for done in range(first + 1, last + 1):
                batch = _take(batches, pending, meter)
                state, scalars = step_after(done - 1)(state, frozen, batch, key)
                pending.add(done, scalars)
                progress.update()
                with jax.transfer_guard("allow"):
                    if due(done, settings.log_every, last):
                        self._log(done, pending, meter, progress)
                    if self._is_kept(done):
                        self._save(done, state, pending, meter, progress)
                    if self.call_back(done, state):
                        meter.reset()
                    if stop.asked_at(done):
                        self._save(done, state, pending, meter, progress)
                        break
        return state

    def _log(self, done: int, pending: Pending, meter: _Meter, progress: Any) -> None:
        """Writes the means of the pending scalars, if any, and shows the terms on the bar.

        Raises:
          BadStep: one of the pending steps is bad.
          UserError: the last checkpoint could not be written.
        """
        self._checkpoints.check()
        steps = pending.collect()
        self._guard.read(steps)
        scalars = mean_scalars(steps)
        if scalars:
            rates = meter.rates()
            self._writers.write(done, {**scalars, **rates})
            self._collapse.read(done, scalars)
            shown = {name.removeprefix("term/"): f"{v:.3g}" for name, v in scalars.items() if name.startswith("term/")}
            progress.set_postfix({"images/s": f"{rates['images_per_second']:.1f}", **_slow_data(rates), **shown})

    def _save(self, done: int, state: TrainState, pending: Pending, meter: _Meter, progress: Any) -> None:
        """Begins a checkpoint, once every step that led to it is known to be finite."""
        self._log(done, pending, meter, progress)
        self._checkpoints.save(done, state)

    def call_back(self, done: int, state: TrainState) -> bool:
        """Runs the callbacks that are due after `done` steps; whether there was any."""
        return self._run(self._due(done), done, state)

    def catch_up(self, done: int, state: TrainState) -> None:
        """Runs those that were due after `done` steps, where the run goes on, and that a kill kept from their end."""
        undone = [callback for callback in self._due(done) if done and not callback.is_done(done)]
        self._run(undone, done, state)

    def _due(self, done: int) -> list[Callback]:
        return [callback for callback in self._callbacks if due(done, callback.every, self._settings.steps)]

    def _run(self, callbacks: Sequence[Callback], done: int, state: TrainState) -> bool:
        for callback in callbacks:
            found = callback.act(done, state)
            self._writers.write(done, found)
            psnr = [value for name, value in found.items() if name.startswith(PSNR)]
            if psnr:
                self._checkpoints.score(done, sum(psnr) / len(psnr))
        return bool(callbacks)

    def _is_kept(self, done: int) -> bool:
        """Whether a checkpoint is made after `done` steps; one that may be the best, before it is measured."""
        settings = self._settings
        measured = settings.keep_best > 0 and due(done, settings.evaluate_every, settings.steps)
        return measured or due(done, settings.checkpoint_every, settings.steps) or done == settings.steps


def _bar(first: int, last: int) -> Any:
    """The progress of a run from step `first`, shown by process 0 alone."""
    return progress_bar(total=last, initial=first, disable=not is_first(), unit="step", mininterval=1.0, smoothing=0.05)


def _take(batches: Feed, pending: Pending, meter: _Meter) -> Example:
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

    def waiting(self) -> _Stopwatch:
        """A context that counts as waiting for data."""
        self._steps += 1
        return _Stopwatch(self)

    def add_wait(self, seconds: float) -> None:
        """Time spent waiting."""
        self._waited += seconds

    def rates(self) -> dict[str, float]:
        """`images_per_second` and `data_wait` (a share of the time), then begins anew."""
        elapsed = max(time.perf_counter() - self._start, 1e-9)
        images = self._steps * self._batch_size
        found = {"images_per_second": images / elapsed, "data_wait": self._waited / elapsed}
        self.reset()
        return found


class _Stopwatch:
    """Adds the time within it to a meter."""

    def __init__(self, meter: _Meter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._meter.add_wait(time.perf_counter() - self._start)


AHEAD = 2  # batches beside the one that a step takes; each is memory on the devices


class Feed(Iterator[Example]):
    """Reads batches and places them in a thread of its own, so that reading and transfer overlap the steps.

    At most `AHEAD` are held. Closing it, or dropping it, ends the thread.
    """

    def __init__(self, batches: Iterator[Example], place: Callable[[Example], Example]) -> None:
        self._batches: Any = batches
        self._read = functools.partial(_read, batches, place)
        self._thread = ThreadPoolExecutor(1, "feed")
        self._coming: collections.deque[Future[Example]] = collections.deque()
        for _ in range(AHEAD):
            self._coming.append(self._thread.submit(self._read))

    @property
    def ready(self) -> bool:
        """Whether the next batch is there, or would be an error or the end, so that `next` would not wait."""
        return not self._coming or self._coming[0].done()

    def __next__(self) -> Example:
        """The next batch, as global arrays.

        Raises:
          StopIteration: there are no more.
          Whatever reading raised.
        """
        if not self._coming:
            raise StopIteration
        batch = self._coming.popleft().result()
        self._coming.append(self._thread.submit(self._read))
        return batch

    def close(self) -> None:
        """Waits for the batch that is being read, then closes the batches, where they can be."""
        self._coming.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if hasattr(self._batches, "close"):
            self._batches.close()


def _read(batches: Iterator[Example], place: Callable[[Example], Example]) -> Example:
    """One batch, placed."""
    return place(next(batches))
