"""A table of text that cannot be made, let alone printed, without the conditions of its numbers."""

from __future__ import annotations

import dataclasses

from scan_jax.evaluation.results import Conditions


@dataclasses.dataclass(frozen=True)
class TextTable:
    """What all renderings of a table share.

    Attributes:
      title: one line.
      header, rows: cells; every row is as long as the header.
      conditions: of the numbers; their line ends the note.
      remark: what else a reader must know, whole sentences.
      heads: how many columns, from the left, name the row.
      best: (row, column) of the cells to emphasise.

    Raises:
      TypeError: no conditions.
      ValueError: a row of another length.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    conditions: Conditions
    remark: str = ""
    heads: int = 1
    best: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.conditions, Conditions):
            raise TypeError(f"a table needs the conditions of its numbers, not {self.conditions!r}")
        wrong = [row for row in self.rows if len(row) != len(self.header)]
        if wrong:
            raise ValueError(f"{self.title}: {len(self.header)} cells are needed, not {wrong[0]}")

    @property
    def note(self) -> str:
        """The remark, then the protocol line."""
        return f"{self.remark} {self.conditions.line()}".strip()
