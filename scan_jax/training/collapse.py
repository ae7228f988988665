"""Notices a run whose loss is finite and yet lost: outputs have saturated, and nothing is learned any more."""

from __future__ import annotations

import logging
from collections.abc import Mapping

log = logging.getLogger(__name__)

LOSS = "loss/"
RISE = 4.0  # times the lowest so far
PATIENCE = 3  # readings in a row


class CollapseWatch:
    """Warns once for each turn whose loss stays far above what it had already been."""

    def __init__(self) -> None:
        self._lowest: dict[str, tuple[float, int]] = {}  # value and step, by name
        self._high: dict[str, int] = {}  # readings in a row
        self._warned: set[str] = set()

    def read(self, step: int, scalars: Mapping[str, float]) -> None:
        """Takes in the means of a stretch of steps.

        Losses that are not positive, such as a hinge's, have no scale to compare with and are passed over.
        """
        for name, value in scalars.items():
            if name.startswith(LOSS) and value > 0:
                self._read_loss(step, name, value)

    def _read_loss(self, step: int, name: str, value: float) -> None:
        lowest, at = self._lowest.setdefault(name, (value, step))
        if value < lowest:
            self._lowest[name] = (value, step)
        self._high[name] = self._high.get(name, 0) + 1 if value > RISE * lowest else 0
        if self._high[name] == PATIENCE and name not in self._warned:
            self._warned.add(name)
            turn = name.removeprefix(LOSS)
            log.warning(
                "%s was %.3g at step %d and is %.3g at step %d: the run has probably collapsed; start a new one with "
                "a lower config.training.optimizers.%s.learning_rate",
                *(name, lowest, at, value, step, turn),
            )
