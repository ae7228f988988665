"""Tables as LaTeX for `\\input`: booktabs, the protocol line in the caption, the best of a bucket bold."""

from __future__ import annotations

import re

from scan_jax.evaluation.tables.text_table import TextTable

LONG = 40  # characters, beyond which a column wraps
ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # After a row's \\ these would be its options.
    "[": "{[}",
    "*": "{*}",
    "±": r"$\pm$",
}

NEGATIVE = re.compile(r"(?<!\w)-(?=\d|inf\b)")  # a minus, where that of "10-20%" is none


def render(table: TextTable) -> str:
    """A `table` environment; needs booktabs, and T1 fonts for straight quotation marks."""
    body = [[_cell(table, i, j) for j in range(len(row))] for i, row in enumerate(table.rows)]
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption[{{{escape(table.title)}}}]{{{escape(table.title)}. {escape(table.note)}}}",
        r"\par\medskip",
        rf"\begin{{tabular}}{{{_columns(table)}}}",
        r"\toprule",
        _line([escape(cell) for cell in table.header]),
        r"\midrule",
        *(_line(row) for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """`text` as it is to be read."""
    escaped = "".join(ESCAPES.get(character, character) for character in text)
    return NEGATIVE.sub("$-$", escaped)


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(table: TextTable, row: int, column: int) -> str:
    text = escape(table.rows[row][column])
    return rf"\textbf{{{text}}}" if (row, column) in table.best else text


def _columns(table: TextTable) -> str:
    """Heads to the left, numbers to the right."""
    longest = [max(map(len, column)) for column in zip(table.header, *table.rows)]
    return "".join("p{6cm}" if width > LONG else "lr"[i >= table.heads] for i, width in enumerate(longest))
