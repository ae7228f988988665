"""Tables for the screen: columns in line, the note wrapped."""

from __future__ import annotations

import textwrap

from scan_jax.evaluation.tables.text_table import TextTable

WIDTH = 120  # of the note; a table is as wide as its cells


def render(table: TextTable) -> str:
    """Heads to the left, numbers to the right."""
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    shown = [_line(cells, widths, table.heads) for cells in lines]
    rule = "-" * max(map(len, shown))
    note = textwrap.fill(table.note, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join([table.title, rule, shown[0], rule, *shown[1:], rule, note])


def _line(cells: tuple[str, ...], widths: list[int], heads: int) -> str:
    padded = [
        cell.ljust(width) if i < heads else cell.rjust(width) for i, (cell, width) in enumerate(zip(cells, widths))
    ]
    return "  ".join(padded).rstrip()
