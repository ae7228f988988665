"""One table for each group of definitions, a row for each bucket and entry: scores, and paired differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from scan_jax.evaluation.results import Entry, Results
from scan_jax.evaluation.statistics import best_of_images, best_of_sets
from scan_jax.evaluation.tables import summaries as cells
from scan_jax.evaluation.tables.summaries import IMAGES, NOT_MEASURED, Image, Show, Summaries
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import Metric, SetMetric

RAW = "Raw: the prediction itself, known pixels included."
IDENTICAL = "What is infinite is counted and in no mean."
PAIRED = "Differences photograph by photograph: the mean and its 95% bootstrap interval."
MAGNITUDES = "|...|: 0 is best, so magnitudes are subtracted and below 0 is better."


@dataclasses.dataclass(frozen=True)
class Column:
    """A metric's column.

    Attributes:
      title: of the column.
      text: a cell.
      best: which entries' cells of a bucket are emphasised.
    """

    title: str
    text: Callable[[Entry, str], str]
    best: Callable[[str], list[bool]]


def score_table(summaries: Summaries, group: str, show: Show) -> TextTable:
    """The scores of every entry in every bucket; the best of a bucket is emphasised.

    Args:
      summaries: of the results.
      group: of definitions, such as "edge_connect".
      show: how a completion's score is written; a raw prediction's is its mean.
    """
    results = summaries.results
    columns = _columns(summaries, group, show)
    lines = [(bucket, entry) for bucket in results.buckets for entry in results.entries]
    rows = tuple(
        (
            bucket if entry is results.entries[0] else "",
            entry.name,
            *(column.text(entry, bucket) for column in columns),
            str(_count(summaries, entry, bucket)),
        )
        for bucket, entry in lines
    )
    return TextTable(
        title=f"{group}: scores",
        header=("hole", "filled by", *(column.title for column in columns), "n"),
        rows=rows,
        conditions=results.conditions,
        remark=_remark(summaries, group),
        heads=2,
        best=_best(summaries, columns),
    )


def difference_table(summaries: Summaries, group: str) -> TextTable | None:
    """The first entry minus each other, with the interval of the mean; None with nothing to compare."""
    results, metrics = summaries.results, summaries.of_images(group)
    first, *others = results.entries
    if not others or not metrics:
        return None

    def text(other: Entry, bucket: str, name: str) -> str:
        summary = summaries.difference(other, bucket, name)
        return NOT_MEASURED if summary is None else cells.difference(summary, metrics[name])

    zero = any(metric.better == "zero" for metric in metrics.values())
    rows = tuple(
        (bucket if other is others[0] else "", f"minus {other.name}", *(text(other, bucket, name) for name in metrics))
        for bucket in results.buckets
        for other in others
    )
    return TextTable(
        title=f"{group}: {first.name} minus others",
        header=("hole", first.name, *map(cells.difference_title, metrics.values())),
        rows=rows,
        conditions=results.conditions,
        remark=f"{PAIRED} {MAGNITUDES}" if zero else PAIRED,
        heads=2,
    )


def _columns(summaries: Summaries, group: str, show: Show) -> list[Column]:
    """One for each metric, and one for the raw prediction's where anything predicts."""
    columns = []
    for name, metric in summaries.metrics_of(group).items():
        if isinstance(metric, SetMetric):
            columns.append(_of_sets(summaries, name, metric))
            continue
        columns.append(_of_images(summaries, name, metric, "completion", show))
        if summaries.predicts:
            columns.append(_of_images(summaries, name, metric, "prediction", cells.brief))
    return columns


def _of_images(summaries: Summaries, name: str, metric: Metric, image: Image, show: Show) -> Column:
    def text(entry: Entry, bucket: str) -> str:
        summary = summaries.of(entry, image, bucket, name)
        return NOT_MEASURED if summary is None else show(summary, metric)

    def best(bucket: str) -> list[bool]:
        entries = summaries.results.entries
        return best_of_images([summaries.values(entry, image, bucket, name) for entry in entries], metric)

    title = cells.column_title(metric)
    return Column(title if image == "completion" else f"raw {title}", text, best)


def _of_sets(summaries: Summaries, name: str, metric: SetMetric) -> Column:
    def value(entry: Entry, bucket: str) -> float | None:
        return entry.sets.get(bucket, {}).get(name)

    def text(entry: Entry, bucket: str) -> str:
        found = value(entry, bucket)
        return NOT_MEASURED if found is None else cells.of_set(found, metric)

    def best(bucket: str) -> list[bool]:
        return best_of_sets([value(entry, bucket) for entry in summaries.results.entries], metric)

    return Column(f"{cells.column_title(metric)} (n={summaries.results.conditions.count})", text, best)


def _best(summaries: Summaries, columns: list[Column]) -> frozenset[tuple[int, int]]:
    """(row, column) of the best of every bucket."""
    entries = len(summaries.results.entries)
    return frozenset(
        (i * entries + k, j + 2)
        for i, bucket in enumerate(summaries.results.buckets)
        for j, column in enumerate(columns)
        for k, marked in enumerate(column.best(bucket))
        if marked
    )


def _count(summaries: Summaries, entry: Entry, bucket: str) -> int:
    """Photographs in the bucket."""
    return next((len(values) for values in entry.completion[bucket].values()), summaries.results.conditions.count)


def _remark(summaries: Summaries, group: str) -> str:
    """The definitions, then how to read the cells."""
    metrics = summaries.metrics_of(group).values()
    definitions = "; ".join(f"{metric.title}: {metric.definition}" for metric in metrics)
    infinite = any(
        summary.infinite
        for entry in summaries.results.entries
        for bucket in summaries.results.buckets
        for name in summaries.of_images(group)
        for image in IMAGES
        if (summary := summaries.of(entry, image, bucket, name))
    )
    raw = summaries.predicts and summaries.of_images(group)
    return " ".join([f"{definitions}.", *([RAW] if raw else []), *([IDENTICAL] if infinite else [])])


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
