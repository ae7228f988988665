"""What is watched in a run's losses and gradients, and when a step counts as bad."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import json
import logging
import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import jax
from jax.experimental import multihost_utils

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.bounds import MOST, Range
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import INCIDENTS
from scan_jax.core.sections import GuardSettings

Stepped = tuple[int, Mapping[str, float]]  # a step and its scalars, on the host
WATCHED = ("loss/", "gradient_norm/")


class BadStep(Exception):
    """A step after which it makes no sense to go on: its number, what is wrong with it, and all of its scalars."""

    def __init__(self, step: int, reason: str, scalars: Mapping[str, float]) -> None:
        super().__init__(f"{reason} at step {step}")
        self.step, self.reason, self.scalars = step, reason, scalars


class Guard:
    """Reads the scalars of every step, some time after it, when they are on the host."""

    def __init__(self, settings: GuardSettings) -> None:
        self._spike = settings.spike if settings.enabled else 0.0
        self._enough = settings.window // 2
        self._recent: collections.deque[Stepped] = collections.deque(maxlen=settings.window)

    def read(self, steps: Sequence[Stepped]) -> None:
        """Takes in steps in their order; a BadStep is the first with a scalar that is not finite or leaps."""
        for step, scalars in steps:
            bad = [name for name, value in scalars.items() if not math.isfinite(value)]
            reason = f"{', '.join(bad)} not finite" if bad else self._leap(scalars)
            if reason:
                raise BadStep(step, reason, scalars)
            self._recent.append((step, scalars))

    def forget_after(self, step: int) -> None:
        """For a run that went back to `step`."""
        while self._recent and self._recent[-1][0] > step:
            self._recent.pop()

    def _leap(self, scalars: Mapping[str, float]) -> str:
        """The first watched scalar that is many times what it has been; losses below 0, as a hinge's, have no scale."""
        if not self._spike:
            return ""
        for name, value in scalars.items():
            if not name.startswith(WATCHED):
                continue
            before = [scalars[name] for _, scalars in self._recent if name in scalars]  # a phase begins with new ones
            largest = max(before) if len(before) >= self._enough else 0.0
            if largest > 0 and value > self._spike * largest:
                return f"{name} is {value:.3g}, {value / largest:.0f} times the largest of {len(before)} steps before"
        return ""


def shown(scalars: Mapping[str, Any]) -> str:
    """What is watched, in a line."""
    return ", ".join(f"{name} {float(value):.4g}" for name, value in scalars.items() if name.startswith(WATCHED))


log = logging.getLogger(__name__)

LOSS = "loss/"
RISE = 4.0  # times the lowest so far
PATIENCE = 3  # readings in a row


class CollapseWatch:
    """Warns once for each update whose loss stays far above what it had already been."""

    def __init__(self) -> None:
        self._lowest: dict[str, tuple[float, int]] = {}  # value and step, by name
        self._high: dict[str, int] = {}  # readings in a row

    def read(self, step: int, scalars: Mapping[str, float]) -> None:
        """Takes in the means of a stretch of steps.

        Losses that are not positive, such as a hinge's, have no scale to compare with and are left out.
        """
        for name, value in scalars.items():
            if not name.startswith(LOSS) or value <= 0 or self._high.get(name) == PATIENCE:
                continue
            lowest, at = self._lowest[name] = min(self._lowest.get(name, (value, step)), (value, step))
            self._high[name] = self._high.get(name, 0) + 1 if value > RISE * lowest else 0
            if self._high[name] == PATIENCE:
                log.warning(
                    "%s was %.3g at step %d and is %.3g at step %d: the run has probably collapsed; start a new one "
                    "with a lower config.training.optimizers.%s.learning_rate",
                    *(name, lowest, at, value, step, name.removeprefix(LOSS)),
                )


@dataclasses.dataclass(frozen=True)
class Incident:
    """One bad step."""

    step: int  # the bad one
    reason: str  # what was wrong
    # All of the step's; what is not finite as a string
    scalars: Mapping[str, Annotated[float, Range(-MOST, MOST)] | str]
    photographs: tuple[str, ...]  # titles, in the batch of the step
    restored: int  # the step to which the run went back; its checkpoint is kept, 0 is the run's begin
    first_batch: int  # the number of the batch after `restored`, as it was, so that the steps can be replayed
    passed_over: int  # batches that the run never takes because of this and earlier incidents


class Incidents:
    """The file `incidents.json` of a run, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there; a UserError where it is damaged."""
        self._path, self._all = folder / INCIDENTS, list[Incident]()
        try:
            noted = json.loads(self._path.read_text(encoding="utf-8"))
            self._all = [bind(each, Incident, "incident") for each in noted]
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, UserError) as error:
            cure = "remove it: batches that were passed over may come again"
            raise UserError(f"{self._path} is damaged ({error}); {cure}") from error

    def __iter__(self) -> Iterator[Incident]:
        return iter(self._all)

    def skipped(self, step: int) -> int:
        """How many batches lie between `step` and the number of the batch that follows it."""
        return next((each.passed_over for each in reversed(self._all) if each.restored <= step), 0)

    def returns_to(self, step: int) -> int:
        """How often in a row, at last, the run went back to `step`."""
        return sum(1 for _ in itertools.takewhile(lambda each: each.restored == step, reversed(self._all)))

    def add(self, incident: Incident) -> None:
        """Remembers it; `write` puts it on disk."""
        self._all.append(incident)

    def write(self) -> None:
        """Atomically, all of them."""
        content = json.dumps([dataclasses.asdict(each) for each in self._all], indent=2)
        write_atomically(self._path, f"{content}\n".encode())


@contextlib.contextmanager
def stop_request() -> Iterator[Callable[[int], bool]]:
    """A context in which the first SIGTERM or SIGINT is only noted; a second one acts as usual.

    What it yields says whether to stop after a step; every process asks at every step. Where there are several, JAX's
    own handler receives a SIGTERM to any of them, lets all agree on the step, and must not be replaced.
    """
    if jax.process_count() > 1:
        yield _all_stop
        return
    before: dict[int, Any] = {}
    asked: list[int] = []

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        log.warning("%s: saving after this step, then stopping", signal.Signals(number).name)
        asked.append(number)
        restore()

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)
    try:
        yield lambda step: bool(asked)
    finally:
        restore()


@contextlib.contextmanager
def save_request() -> Iterator[Callable[[], bool]]:
    """A context in which SIGUSR1 asks for a checkpoint after the step in progress, whose time nobody can know in steps.

    What it yields says whether one was asked for since it was asked last. Of one process alone: several would have to
    agree on the step.
    """
    asked: list[int] = []
    if jax.process_count() > 1 or not hasattr(signal, "SIGUSR1"):
        yield lambda: False
        return

    def was_asked() -> bool:
        found = bool(asked)
        asked.clear()
        return found

    before = signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))
    try:
        yield was_asked
    finally:
        signal.signal(signal.SIGUSR1, before)


def _all_stop(step: int) -> bool:
    """Whether a SIGTERM came to any process, in time to stop all after the same step."""
    reached = multihost_utils.reached_preemption_sync_point(step)
    if reached:
        log.warning("SIGTERM: saving after step %d, then stopping", step)
    return reached
