"""SIGTERM and Ctrl-C end a run politely: after the step in progress it is saved, and the command exits with 0."""

from __future__ import annotations

import logging
import signal
from types import FrameType

import jax
from jax.experimental import multihost_utils

log = logging.getLogger(__name__)


class StopRequest:
    """A context in which the first SIGTERM or SIGINT only sets `asked`; a second one acts as usual."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def asked_at(self, step: int) -> bool:
        """Whether to stop after `step`."""
        del step
        return self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del frame
        log.warning("%s: saving after this step, then stopping", signal.Signals(number).name)
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}


class SharedStopRequest:
    """The same for several processes: a SIGTERM to any of them stops all after the same step.

    JAX's own handler receives the signal and lets the processes agree on the step; it must not be replaced.
    """

    def asked_at(self, step: int) -> bool:
        """Whether all stop after `step`; every process asks at every step."""
        reached = multihost_utils.reached_preemption_sync_point(step)
        if reached:
            log.warning("SIGTERM: saving after step %d, then stopping", step)
        return reached

    def __enter__(self) -> SharedStopRequest:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""


def stop_request() -> StopRequest | SharedStopRequest:
    """What fits the number of processes."""
    return StopRequest() if jax.process_count() == 1 else SharedStopRequest()
