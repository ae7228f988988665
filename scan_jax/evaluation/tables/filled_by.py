"""Who filled the holes, from what, and how fast."""

from __future__ import annotations

from scan_jax.evaluation.results import Entry, Results
from scan_jax.evaluation.tables.text_table import TextTable


def entries_table(results: Results) -> TextTable:
    """A row for each entry."""
    return TextTable(
        title="Filled by",
        header=("name", "kind", "details", "images per second"),
        rows=tuple((entry.name, entry.kind, _details(entry), entry.speed) for entry in results.entries),
        conditions=results.conditions,
        heads=3,
    )


def _details(entry: Entry) -> str:
    return ", ".join(f"{key} {value}" for key, value in entry.details.items())
