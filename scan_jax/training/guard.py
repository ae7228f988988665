"""What is watched in a run's losses and gradients, and when a step counts as bad."""

from __future__ import annotations

import dataclasses

from scan_jax.settings import require_at_least


@dataclasses.dataclass(frozen=True)
class GuardSettings:
    """A config's `training.guard` section.

    Attributes:
      enabled: whether a bad step is undone; without it, a value that is not finite ends the run.
      spike: a step is bad where a turn's loss or gradient norm is so many times the largest of the steps before; 0
        only looks for values that are not finite.
      window: how many steps before it are compared with; at least half as many must have been seen.
      retries: how often a run may go back before it gets further than before.
    """

    enabled: bool = True
    spike: float = 10.0
    window: int = 200
    retries: int = 3

    def __post_init__(self) -> None:
        require_at_least(0, "config.training.guard", spike=self.spike, retries=self.retries)
        require_at_least(2, "config.training.guard", window=self.window)
