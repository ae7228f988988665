"""The tables of an evaluation: on the screen, as Markdown, LaTeX, CSV and JSON, never without their protocol line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scan_jax.core.atomic_write import write_atomically
from scan_jax.evaluation.results import Results
from scan_jax.evaluation.tables import long_form, text_table
from scan_jax.evaluation.tables import long_form as complete
from scan_jax.evaluation.tables import summaries as cells
from scan_jax.evaluation.tables import text_table as markdown
from scan_jax.evaluation.tables import text_table as screen
from scan_jax.evaluation.tables.by_bucket import difference_table, entries_table, score_table
from scan_jax.evaluation.tables.summaries import Show, Summaries
from scan_jax.evaluation.tables.text_table import TextTable

LATEX_HEAD = "% \\input this file; it needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs}.\n"


def make_tables(summaries: Summaries, show: Show, protocol_tables: Sequence[TextTable] = ()) -> list[TextTable]:
    """Who filled the holes, scores and paired differences by group of definitions, then a paper's tables."""
    groups = summaries.groups()
    differences = [difference_table(summaries, group) for group in groups]
    return [
        entries_table(summaries.results),
        *(score_table(summaries, group, show) for group in groups),
        *(table for table in differences if table is not None),
        *protocol_tables,
    ]


def screen_text(results: Results, protocol_tables: Sequence[TextTable] = ()) -> str:
    """All tables for the screen."""
    tables = make_tables(Summaries(results), cells.full, protocol_tables)
    return "\n\n".join(map(screen.screen, tables)) + "\n"


def write_tables(folder: Path, results: Results, protocol_tables: Sequence[TextTable] = ()) -> list[Path]:
    """`results.csv`, `.json`, `.md` and `.tex` in `folder`, each whole or not at all; LaTeX has means alone.

    Raises:
      UserError: the folder cannot be written to.
    """
    summaries = Summaries(results)
    wide, narrow = (make_tables(summaries, show, protocol_tables) for show in (cells.full, cells.brief))
    contents = {
        "results.csv": long_form.render(summaries),
        "results.json": complete.json_text(summaries),
        "results.md": "\n".join(map(markdown.markdown, wide)),
        "results.tex": "\n".join([LATEX_HEAD, *map(text_table.latex, narrow)]),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]
