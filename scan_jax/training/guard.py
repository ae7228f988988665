"""What is watched in a run's losses and gradients, and when a step counts as bad."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scan_jax.core.config import require_at_least

Stepped = tuple[int, Mapping[str, float]]  # a step and its scalars, on the host
WATCHED = ("loss/", "gradient_norm/")


@dataclasses.dataclass(frozen=True)
class GuardSettings:
    """A config's `training.guard` section.

    Attributes:
      enabled: whether a bad step is undone; without it, a value that is not finite ends the run.
      spike: a step is bad where a turn's loss or gradient norm is so many times the largest of the steps before; 0
        only looks for values that are not finite.
      window: how many steps before it are compared with; at least half as many must have been seen.
      retries: how often a run may go back to one checkpoint.
    """

    enabled: bool = True
    spike: float = 10.0
    window: int = 200
    retries: int = 3

    def __post_init__(self) -> None:
        require_at_least(0, "config.training.guard", spike=self.spike, retries=self.retries)
        require_at_least(2, "config.training.guard", window=self.window)


class BadStep(Exception):
    """A step after which it makes no sense to go on.

    Attributes:
      step: the first bad one.
      reason: what is wrong with it.
      scalars: all of the step's.
    """

    def __init__(self, step: int, reason: str, scalars: Mapping[str, float]) -> None:
        super().__init__(f"step {step}: {reason}")
        self.step, self.reason, self.scalars = step, reason, scalars


class Guard:
    """Reads the scalars of every step, some time after it, when they are on the host."""

    def __init__(self, settings: GuardSettings) -> None:
        self._spike = settings.spike if settings.enabled else 0.0
        self._enough = settings.window // 2
        self._seen: collections.deque[Stepped] = collections.deque(maxlen=settings.window)

    def read(self, steps: Sequence[Stepped]) -> None:
        """Takes in steps in their order.

        Raises:
          BadStep: the first of them in which a scalar is not finite, or a loss or gradient norm leaps.
        """
        for step, scalars in steps:
            reason = _not_finite(scalars) or self._leap(scalars)
            if reason:
                raise BadStep(step, reason, scalars)
            self._seen.append((step, scalars))

    def forget_after(self, step: int) -> None:
        """For a run that went back to `step`."""
        self._seen = collections.deque((seen for seen in self._seen if seen[0] <= step), self._seen.maxlen)

    def _leap(self, scalars: Mapping[str, float]) -> str:
        """The first watched scalar that is many times what it has been; losses below 0, as a hinge's, have no scale."""
        if not self._spike:
            return ""
        for name, value in scalars.items():
            if not name.startswith(WATCHED):
                continue
            before = [scalars[name] for _, scalars in self._seen if name in scalars]  # a phase begins with new ones
            largest = max(before) if len(before) >= self._enough else 0.0
            if largest > 0 and value > self._spike * largest:
                return f"{name} is {value:.3g}, {value / largest:.0f} times the largest of {len(before)} steps before"
        return ""


def _not_finite(scalars: Mapping[str, float]) -> str:
    bad = [name for name, value in scalars.items() if not math.isfinite(value)]
    return f"{', '.join(bad)} not finite" if bad else ""


def shown(scalars: Mapping[str, Any]) -> str:
    """What is watched, in a line."""
    return ", ".join(f"{name} {float(value):.4g}" for name, value in scalars.items() if name.startswith(WATCHED))
