"""A table of text that cannot be made, let alone printed, without the conditions of its numbers."""

from __future__ import annotations

import dataclasses
import re
import textwrap

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


def latex(table: TextTable) -> str:
    """A `table` environment; needs booktabs, and T1 fonts for straight quotation marks."""
    body = [[_latex_cell(table, i, j) for j in range(len(row))] for i, row in enumerate(table.rows)]
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption[{{{escape_latex(table.title)}}}]{{{escape_latex(table.title)}. {escape_latex(table.note)}}}",
        r"\par\medskip",
        rf"\begin{{tabular}}{{{_columns(table)}}}",
        r"\toprule",
        _latex_line([escape_latex(cell) for cell in table.header]),
        r"\midrule",
        *(_latex_line(row) for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """`text` as it is to be read."""
    escaped = "".join(ESCAPES.get(character, character) for character in text)
    return NEGATIVE.sub("$-$", escaped)


def _latex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(table: TextTable, row: int, column: int) -> str:
    text = escape_latex(table.rows[row][column])
    return rf"\textbf{{{text}}}" if (row, column) in table.best else text


def _columns(table: TextTable) -> str:
    """Heads to the left, numbers to the right."""
    longest = [max(map(len, column)) for column in zip(table.header, *table.rows)]
    return "".join("p{6cm}" if width > LONG else "lr"[i >= table.heads] for i, width in enumerate(longest))


SPECIAL = re.compile(r"([\\|*`<]|(?<!\w)_|_(?!\w))")  # an underscore within a word is one


def markdown(table: TextTable) -> str:
    """A heading, the table, the note."""
    marks = ["---" if i < table.heads else "---:" for i in range(len(table.header))]
    body = [[_markdown_cell(table, i, j) for j in range(len(row))] for i, row in enumerate(table.rows)]
    lines = [[escape_markdown(cell) for cell in table.header], marks, *body]
    shown = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {escape_markdown(table.title)}\n\n{shown}\n\n{escape_markdown(table.note)}\n"


def escape_markdown(text: str) -> str:
    """`text` as it is to be read."""
    return SPECIAL.sub(r"\\\1", text)


def _markdown_cell(table: TextTable, row: int, column: int) -> str:
    text = escape_markdown(table.rows[row][column])
    return f"**{text}**" if (row, column) in table.best else text


WIDTH = 120  # of the note; a table is as wide as its cells


def screen(table: TextTable) -> str:
    """Heads to the left, numbers to the right."""
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    shown = [_screen_line(cells, widths, table.heads) for cells in lines]
    rule = "-" * max(map(len, shown))
    note = textwrap.fill(table.note, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join([table.title, rule, shown[0], rule, *shown[1:], rule, note])


def _screen_line(cells: tuple[str, ...], widths: list[int], heads: int) -> str:
    padded = [
        cell.ljust(width) if i < heads else cell.rjust(width) for i, (cell, width) in enumerate(zip(cells, widths))
    ]
    return "  ".join(padded).rstrip()
