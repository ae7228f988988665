"""The bad steps of a run: what happened, on which photographs, and which batches were passed over because of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import INCIDENTS


@dataclasses.dataclass(frozen=True)
class Incident:
    """One bad step.

    Attributes:
      step: the bad one.
      reason: what was wrong.
      scalars: all of the step's; what is not finite as a string.
      photographs: titles, in the batch of the step.
      restored: the step to which the run went back; its checkpoint is kept, 0 is the run's begin.
      first_batch: the number of the batch after `restored`, as it was, so that the steps can be replayed.
      passed_over: batches that the run never takes because of this and earlier incidents.
    """

    step: int
    reason: str
    scalars: Mapping[str, float | str]
    photographs: Sequence[str]
    restored: int
    first_batch: int
    passed_over: int


class Incidents:
    """The file `incidents.json` of a run, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there.

        Raises:
          UserError: it is damaged.
        """
        self._path = folder / INCIDENTS
        self._all = _read(self._path)

    def __iter__(self) -> Any:
        return iter(self._all)

    def passed_over(self, step: int) -> int:
        """How many batches lie between `step` and the number of the batch that follows it."""
        before = [incident.passed_over for incident in self._all if incident.restored <= step]
        return before[-1] if before else 0

    def returns_to(self, step: int) -> int:
        """How often in a row, at last, the run went back to `step`."""
        count = 0
        for incident in reversed(self._all):
            if incident.restored != step:
                break
            count += 1
        return count

    def add(self, incident: Incident) -> None:
        """Remembers it; `write` puts it on disk."""
        self._all.append(incident)

    def write(self) -> None:
        """Atomically, all of them."""
        write_atomically(
            self._path, (json.dumps([dataclasses.asdict(each) for each in self._all], indent=2) + "\n").encode()
        )


def plain(scalars: Mapping[str, float]) -> dict[str, float | str]:
    """Scalars as JSON can hold them, which has no NaN."""
    return {name: value if math.isfinite(value) else str(value) for name, value in scalars.items()}


def _read(path: Path) -> list[Incident]:
    """Those of a file, or none where there is no file."""
    try:
        return [Incident(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}); remove it: batches that were passed over may come again"
        ) from error
