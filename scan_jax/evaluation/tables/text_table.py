"""A table of text that cannot be made, let alone printed, without the conditions of its numbers."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable

from scan_jax.evaluation.results import Conditions


@dataclasses.dataclass(frozen=True)
class TextTable:
    """What all renderings of a table share.

    TypeError for no conditions, ValueError for a row of another length than the header.
    """

    title: str  # one line
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    conditions: Conditions  # of the numbers; their line ends the note
    remark: str = ""  # what else a reader must know, whole sentences
    heads: int = 1  # how many columns, from the left, name the row
    best: frozenset[tuple[int, int]] = frozenset()  # (row, column) of the cells to emphasise

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
    header, *body = (" & ".join(cells) + r" \\" for cells in _cells(table, escape_latex, r"\textbf{%s}"))
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption[{{{escape_latex(table.title)}}}]{{{escape_latex(table.title)}. {escape_latex(table.note)}}}",
        r"\par\medskip",
        rf"\begin{{tabular}}{{{_columns(table)}}}",
        r"\toprule",
        header,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """`text` as it is to be read."""
    return NEGATIVE.sub("$-$", "".join(ESCAPES.get(character, character) for character in text))


def _cells(table: TextTable, escape: Callable[[str], str], best: str) -> list[list[str]]:
    """The header and the rows, escaped, with the best cells formatted by `best`."""
    rows = [
        [best % escape(cell) if (i, j) in table.best else escape(cell) for j, cell in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    return [[escape(cell) for cell in table.header], *rows]


def _columns(table: TextTable) -> str:
    """Heads to the left, numbers to the right; long columns wrap."""
    longest = [max(map(len, column)) for column in zip(table.header, *table.rows)]
    return "".join("p{6cm}" if width > 40 else "lr"[i >= table.heads] for i, width in enumerate(longest))


SPECIAL = re.compile(r"([\\|*`<]|(?<!\w)_|_(?!\w))")  # an underscore within a word is one


def markdown(table: TextTable) -> str:
    """A heading, the table, the note."""
    marks = ["---" if i < table.heads else "---:" for i in range(len(table.header))]
    header, *body = _cells(table, escape_markdown, "**%s**")
    shown = "\n".join("| " + " | ".join(line) + " |" for line in (header, marks, *body))
    return f"## {escape_markdown(table.title)}\n\n{shown}\n\n{escape_markdown(table.note)}\n"


def escape_markdown(text: str) -> str:
    """`text` as it is to be read."""
    return SPECIAL.sub(r"\\\1", text)


def screen(table: TextTable) -> str:
    """Heads to the left, numbers to the right; a table is as wide as its cells, its note 120 letters."""
    lines = [table.header, *table.rows]
    sides = ["<" if i < table.heads else ">" for i in range(len(table.header))]
    forms = [f"{side}{max(map(len, column))}" for side, column in zip(sides, zip(*lines))]
    shown = ["  ".join(map(format, cells, forms)).rstrip() for cells in lines]
    rule = "-" * max(map(len, shown))
    note = textwrap.fill(table.note, 120, break_long_words=False, break_on_hyphens=False)
    return "\n".join([table.title, rule, shown[0], rule, *shown[1:], rule, note])
