"""Tables as Markdown; the best of a bucket is bold."""

from __future__ import annotations

import re

from scan_jax.evaluation.tables.text_table import TextTable

SPECIAL = re.compile(r"([\\|*`<]|(?<!\w)_|_(?!\w))")  # an underscore within a word is one


def render(table: TextTable) -> str:
    """A heading, the table, the note."""
    marks = ["---" if i < table.heads else "---:" for i in range(len(table.header))]
    body = [[_cell(table, i, j) for j in range(len(row))] for i, row in enumerate(table.rows)]
    lines = [[escape(cell) for cell in table.header], marks, *body]
    shown = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {escape(table.title)}\n\n{shown}\n\n{escape(table.note)}\n"


def escape(text: str) -> str:
    """`text` as it is to be read."""
    return SPECIAL.sub(r"\\\1", text)


def _cell(table: TextTable, row: int, column: int) -> str:
    text = escape(table.rows[row][column])
    return f"**{text}**" if (row, column) in table.best else text
