"""Tables with a row for each bucket and entry: scores by group of definitions, and paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from scan_jax.evaluation.results import COMPLETION, IMAGES, PREDICTION, EntryResult, Image, Results
from scan_jax.evaluation.statistics import Summary, best_of_images, best_of_sets, printed, subtracted
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import AnyMetric, Metric

EMPTY, NOT_MEASURED = "empty", "not measured"
Show = Callable[[Summary, AnyMetric], str]
Column = tuple[str, str, Image | None]  # its title, the metric, and what it is measured on; None is a whole set


def make_tables(results: Results, show: Show, protocol_tables: Sequence[TextTable] = ()) -> list[TextTable]:
    """Who filled the holes, scores and paired differences by group of definitions, then a paper's tables."""
    differences = [difference_table(results, group) for group in results.groups]
    return [
        entries_table(results),
        *(score_table(results, group, show) for group in results.groups),
        *(table for table in differences if table is not None),
        *protocol_tables,
    ]


def score_table(results: Results, group: str, show: Show) -> TextTable:
    """The scores of every entry in every bucket by one group of definitions; the best of a bucket is emphasised.

    `show` writes the score of a completion; that of a raw prediction is its mean.
    """
    columns, rows = list(_columns(results, group)), list[tuple[str, ...]]()
    best: set[tuple[int, int]] = set()  # (row, column)
    for bucket in results.buckets:
        cells = [_cells(results, bucket, column, show) for column in columns]
        for k, entry in enumerate(results.entries):
            best |= {(len(rows), j + 2) for j, (_, marked) in enumerate(cells) if marked[k]}
            count = entry.count(bucket) if entry.completion[bucket] else results.conditions.count
            rows.append(("" if k else bucket, entry.name, *(texts[k] for texts, _ in cells), str(count)))
    return TextTable(
        title=f"{group}: scores",
        header=("hole", "filled by", *(title for title, _, _ in columns), "n"),
        rows=tuple(rows),
        conditions=results.conditions,
        remark=_remark(results, group),
        heads=2,
        best=frozenset(best),
    )


def difference_table(results: Results, group: str) -> TextTable | None:
    """The first entry minus each other, with the interval of the mean; None with nothing to compare."""
    metrics = _of_images(results, group)
    first, *others = results.entries
    if not others or not metrics:
        return None

    def text(other: EntryResult, bucket: str, name: str) -> str:
        summary = results.difference(other, bucket, name)
        return NOT_MEASURED if summary is None else difference_cell(summary, metrics[name])

    zero = any(metric.better == "zero" for metric in metrics.values())
    magnitudes = " |...|: 0 is best, so magnitudes are subtracted and below 0 is better." if zero else ""
    rows = tuple(
        (bucket if other is others[0] else "", f"minus {other.name}", *(text(other, bucket, name) for name in metrics))
        for bucket in results.buckets
        for other in others
    )
    return TextTable(
        title=f"{group}: {first.name} minus others",
        header=("hole", first.name, *(column_title(metric, minus=True) for metric in metrics.values())),
        rows=rows,
        conditions=results.conditions,
        remark=f"Differences photograph by photograph: the mean and its 95% bootstrap interval.{magnitudes}",
        heads=2,
    )


def _columns(results: Results, group: str) -> Iterator[Column]:
    """One for each metric, and one for the raw prediction's where anything predicts."""
    for name, metric in results.groups[group].items():
        title = column_title(metric)
        if not isinstance(metric, Metric):
            yield f"{title} (n={results.conditions.count})", name, None
            continue
        yield title, name, COMPLETION
        if results.predicts:
            yield f"raw {title}", name, PREDICTION


def _cells(results: Results, bucket: str, column: Column, show: Show) -> tuple[list[str], list[bool]]:
    """Of every entry in a bucket; and which of them are the best."""
    _, name, image = column
    metric, entries = results.metrics[name], results.entries
    if image is None:
        values = [entry.sets.get(bucket, {}).get(name) for entry in entries]
        return [NOT_MEASURED if one is None else printed(one, metric) for one in values], best_of_sets(values, metric)
    show = brief if image == PREDICTION else show
    found = [results.summary(entry, bucket, name, image) for entry in entries]
    best = best_of_images([entry.values(bucket, name, image) for entry in entries], metric)
    return [NOT_MEASURED if one is None else show(one, metric) for one in found], best


def _remark(results: Results, group: str) -> str:
    """The definitions, then how to read the cells."""
    definitions = "; ".join(f"{metric.title}: {metric.definition}" for metric in results.groups[group].values())
    names = _of_images(results, group)
    each = itertools.starmap(results.summary, itertools.product(results.entries, results.buckets, names, IMAGES))
    said = {
        f"{definitions}.": True,
        "Raw: the prediction itself, known pixels included.": results.predicts and names,
        "What is infinite is counted and in no mean.": any(one is not None and one.infinite for one in each),
    }
    return " ".join(sentence for sentence, holds in said.items() if holds)


def entries_table(results: Results) -> TextTable:
    """A row for each entry."""
    return TextTable(
        title="Filled by",
        header=("name", "kind", "details", "images per second"),
        rows=tuple(
            (one.name, one.kind, ", ".join(f"{key} {value}" for key, value in one.details.items()), one.speed)
            for one in results.entries
        ),
        conditions=results.conditions,
        heads=3,
    )


def _of_images(results: Results, group: str) -> dict[str, Metric]:
    """A group's metrics that give every image a score."""
    return {name: metric for name, metric in results.groups[group].items() if isinstance(metric, Metric)}


def full(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67 ± 3.1 [25.40, 25.94], 3 identical": mean, deviation, the mean's 95% interval, and what is in none."""
    if summary.n < 2:  # one value has neither spread nor interval
        return brief(summary, metric)
    mean, low, high = (printed(value, metric) for value in (summary.mean, summary.low, summary.high))
    spread = f"{summary.deviation:.{max(metric.decimals - 1, 1)}f}"
    return f"{mean} ± {spread} [{low}, {high}]" + _apart(summary, metric)


def brief(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67, 3 identical"; "empty" without any photograph, "inf (5 identical)" without a finite value."""
    if summary.n:
        return printed(summary.mean, metric) + _apart(summary, metric)
    return f"{printed(summary.mean, metric)} ({_count(summary, metric)})" if summary.infinite else EMPTY


def difference_cell(summary: Summary, metric: AnyMetric) -> str:
    """ "+1.23 [+1.10, +1.36], 2 -inf"; "-inf (4)" where all are that, "empty" without any photograph."""
    mean, low, high = (printed(value, metric, "+") for value in (summary.mean, summary.low, summary.high))
    if not summary.n:
        same = summary.minus_infinite in (0, summary.infinite)
        return (f"{mean} ({summary.infinite})" if same else infinite_counts(summary)) if summary.infinite else EMPTY
    finite = f"{mean} [{low}, {high}]" if summary.n > 1 else mean
    return ", ".join(filter(None, [finite, infinite_counts(summary)]))


def infinite_counts(summary: Summary) -> str:
    """ "1 +inf, 3 -inf", or empty: the differences that no mean contains."""
    counts = {"+inf": summary.infinite - summary.minus_infinite, "-inf": summary.minus_infinite}
    return ", ".join(f"{count} {sign}" for sign, count in counts.items() if count)


def column_title(metric: AnyMetric, *, minus: bool = False) -> str:
    """ "PSNR dB"; "|Seam| levels" for differences of magnitudes."""
    return f"{subtracted(metric.title, metric.better) if minus else metric.title} {metric.unit}".strip()


def _apart(summary: Summary, metric: AnyMetric) -> str:
    """The values that no mean contains."""
    return f", {_count(summary, metric)}" if summary.infinite else ""


def _count(summary: Summary, metric: AnyMetric) -> str:
    """A metric of which more is better is infinite for identical images alone, as PSNR is."""
    return f"{summary.infinite} {'identical' if metric.better == 'higher' else 'infinite'}"
