"""What became of each photograph, for people and for programs; and the warnings about it."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import counted
from scan_jax.images.pairs import Pair
from scan_jax.inference.tiling import Tiles


class WarningCollector(logging.Handler):
    """Collects the toolkit's warnings of this thread while it is entered.

    Attributes:
      messages: each different one with the template that it was made from.
    """

    def __init__(self, *, propagate: bool = True) -> None:
        """With `propagate=False` nobody else hears them."""
        super().__init__(logging.WARNING)
        self.messages: dict[str, str] = {}
        self._propagate, self._thread = propagate, threading.get_ident()
        self._logger = logging.getLogger("scan_jax")

    def __enter__(self) -> WarningCollector:
        self._before = self._logger.propagate
        self._logger.propagate = self._before and self._propagate
        self._logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`."""
        if record.thread == self._thread:
            self.messages.setdefault(record.getMessage(), str(record.msg))


ALL_FAILED, SOME_FAILED = 1, 3  # exit codes
Status = Literal["waiting", "filled", "nothing_to_fill", "kept", "failed"]


@dataclasses.dataclass(kw_only=True)
class Outcome:
    """One photograph."""

    name: str  # its path within its folder
    input: Path  # its file, like `hole`, `labels` and `output`; None where there is none
    hole: Path | None
    labels: Path | None
    output: Path
    # "waiting", "filled", "nothing_to_fill" where it has no hole and was copied, "kept" where the output was there
    # before, "failed"
    status: Status = "waiting"
    width: int | None = None  # pixels, where it was read, like `height` and `hole_share`
    height: int | None = None
    hole_share: float | None = None  # of its pixels
    seconds: float = 0.0  # reading, filling (its part of a batch's time) and writing
    strategy: str | None = None  # what the network looked at
    # What was said about it, each message with its template
    warnings: dict[str, str] = dataclasses.field(default_factory=dict)
    error: str | None = None  # why it failed

    @classmethod
    def of(cls, pair: Pair, output: Path) -> Outcome:
        """Of a photograph that was not looked at yet."""
        return cls(name=pair.name, input=pair.photograph, hole=pair.hole, labels=pair.labels, output=output)

    def note(self, tiles: Tiles) -> None:
        """Notes the photograph's size and share of hole, and what is looked at."""
        self.height, self.width = tiles.hole.shape
        self.hole_share, self.strategy = float(tiles.hole.mean()), tiles.strategy

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        values = {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}
        share = None if self.hole_share is None else round(self.hole_share, 6)
        return {**values, "seconds": round(self.seconds, 4), "hole_share": share, "warnings": list(self.warnings)}


@dataclasses.dataclass(kw_only=True)
class Summary:
    """A whole run."""

    network: Mapping[str, Any]  # which it was: run, step, size, hash of the parameters
    fill_flags: Mapping[str, Any]  # the flags on how to fill
    asked: int  # photographs that were to be filled
    unmatched: Sequence[str] = ()  # photographs without a hole or label map, holes without a photograph
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)  # of the photographs that it came to, in order
    seconds: float = 0.0  # without loading the network

    def count(self, status: Status) -> int:
        """Photographs of which this became."""
        return Counter(outcome.status for outcome in self.outcomes)[status]

    @property
    def exit_code(self) -> int:
        """0: all done; 3: some failed; 1: none is done."""
        failed = self.count("failed")
        if not failed:
            return 0
        return ALL_FAILED if failed == len(self.outcomes) else SOME_FAILED

    def __str__(self) -> str:
        """ "filled 10 of 14 photographs in 4.2 s; 1 had nothing to fill; 2 were there before; 1 failed"."""
        text = f"filled {self.count('filled'):,} of {counted(self.asked, 'photograph')} in {self.seconds:.1f} s"
        if whole := self.count("nothing_to_fill"):
            text += f"; {whole:,} had nothing to fill"
        if kept := self.count("kept"):
            text += f"; {kept:,} were there before"
        if failed := self.count("failed"):
            text += f"; {failed:,} failed"
        return text

    def write(self, path: Path) -> None:
        """Writes all of it as JSON; a UserError where it cannot be written."""
        totals = {
            "photographs": self.asked,
            **{status: self.count(status) for status in ("filled", "nothing_to_fill", "kept", "failed")},  # type: ignore[arg-type]
            "not_reached": self.asked - len(self.outcomes),
            "unmatched": list(self.unmatched),
            "seconds": round(self.seconds, 4),
            "exit_code": self.exit_code,
        }
        photographs = [outcome.to_json() for outcome in self.outcomes]
        whole = {
            "network": dict(self.network),
            "wishes": dict(self.fill_flags),
            "totals": totals,
            "photographs": photographs,
        }
        write_atomically(path, (json.dumps(whole, indent=1, default=str) + "\n").encode())
