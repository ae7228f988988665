"""Which checkpoints of a run are kept: an Orbax policy from three numbers and what was noted of the checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    CustomSteps,
    EveryNSteps,
    LatestN,
    PolicyCheckpointInfo,
    PreservationContext,
    PreservationPolicy,
)

from scan_jax.core.checkpoint_folder import Ledger


@dataclasses.dataclass(frozen=True)
class Keep:
    """What a run keeps besides pinned checkpoints; whatever one of the three wants stays.

    Attributes:
      latest: so many of the newest, at least 1.
      every: those whose step it divides; 0 for none.
      best: so many of those with the highest PSNR on held-out photographs.
    """

    latest: int
    every: int = 0
    best: int = 0

    def policy(self, noted: Callable[[], Ledger]) -> PreservationPolicy:
        """What Orbax asks after every checkpoint.

        Args:
          noted: what is known of the checkpoints when it asks.
        """
        every = [EveryNSteps(self.every)] if self.every else []
        return AnyPreservationPolicy([LatestN(self.latest), *every, _Noted(self.best, noted)])


@dataclasses.dataclass(frozen=True)
class _Noted(PreservationPolicy):
    """The pinned and the best."""

    best: int
    noted: Callable[[], Ledger]

    def should_preserve(
        self, checkpoints: Sequence[PolicyCheckpointInfo], *, context: PreservationContext
    ) -> Sequence[bool]:
        ledger = self.noted()
        best = ledger.best([one.step for one in checkpoints])[: self.best]
        return CustomSteps([*ledger.pinned, *best]).should_preserve(checkpoints, context=context)
