"""Tables with a row for each bucket and entry: scores by group of definitions, and paired differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scan_jax.evaluation.results import COMPLETION, IMAGES, PREDICTION, EntryResult, Image, Results
from scan_jax.evaluation.statistics import Summary, best_of_images, best_of_sets, printed, subtracted
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import AnyMetric, Metric, SetMetric

RAW = "Raw: the prediction itself, known pixels included."
IDENTICAL = "What is infinite is counted and in no mean."
PAIRED = "Differences photograph by photograph: the mean and its 95% bootstrap interval."
MAGNITUDES = "|...|: 0 is best, so magnitudes are subtracted and below 0 is better."
EMPTY, NOT_MEASURED = "empty", "not measured"
Show = Callable[[Summary, AnyMetric], str]
# its title; and a bucket's cells, one for each entry, with those that are the best
Column = tuple[str, Callable[[str], tuple[list[str], list[bool]]]]


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
    """The scores of every entry in every bucket; the best of a bucket is emphasised.

    Args:
      results: of the evaluation.
      group: of definitions, such as "edge_connect".
      show: how a completion's score is written; a raw prediction's is its mean.
    """
    columns, rows = _columns(results, group, show), list[tuple[str, ...]]()
    best: set[tuple[int, int]] = set()  # (row, column)
    for bucket in results.buckets:
        cells = [of(bucket) for _, of in columns]
        for k, entry in enumerate(results.entries):
            best |= {(len(rows), j + 2) for j, (_, marked) in enumerate(cells) if marked[k]}
            count = entry.count(bucket) if entry.completion[bucket] else results.conditions.count
            rows.append(("" if k else bucket, entry.name, *(texts[k] for texts, _ in cells), str(count)))
    return TextTable(
        title=f"{group}: scores",
        header=("hole", "filled by", *(title for title, _ in columns), "n"),
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
    rows = tuple(
        (bucket if other is others[0] else "", f"minus {other.name}", *(text(other, bucket, name) for name in metrics))
        for bucket in results.buckets
        for other in others
    )
    return TextTable(
        title=f"{group}: {first.name} minus others",
        header=("hole", first.name, *map(difference_title, metrics.values())),
        rows=rows,
        conditions=results.conditions,
        remark=f"{PAIRED} {MAGNITUDES}" if zero else PAIRED,
        heads=2,
    )


def _columns(results: Results, group: str, show: Show) -> list[Column]:
    """One for each metric, and one for the raw prediction's where anything predicts."""
    columns = []
    for name, metric in results.groups[group].items():
        if isinstance(metric, SetMetric):
            columns.append(_set_column(results, name, metric))
            continue
        columns.append(_image_column(results, name, metric, COMPLETION, show))
        if results.predicts:
            columns.append(_image_column(results, name, metric, PREDICTION, brief))
    return columns


def _image_column(results: Results, name: str, metric: Metric, image: Image, show: Show) -> Column:
    def cells(bucket: str) -> tuple[list[str], list[bool]]:
        found = [results.summary(entry, bucket, name, image) for entry in results.entries]
        best = best_of_images([entry.values(bucket, name, image) for entry in results.entries], metric)
        return [NOT_MEASURED if one is None else show(one, metric) for one in found], best

    title = column_title(metric)
    return title if image == COMPLETION else f"raw {title}", cells


def _set_column(results: Results, name: str, metric: SetMetric) -> Column:
    def cells(bucket: str) -> tuple[list[str], list[bool]]:
        values = [entry.sets.get(bucket, {}).get(name) for entry in results.entries]
        return [NOT_MEASURED if one is None else printed(one, metric) for one in values], best_of_sets(values, metric)

    return f"{column_title(metric)} (n={results.conditions.count})", cells


def _remark(results: Results, group: str) -> str:
    """The definitions, then how to read the cells."""
    metrics = results.groups[group].values()
    definitions = "; ".join(f"{metric.title}: {metric.definition}" for metric in metrics)
    infinite = any(
        summary.infinite
        for entry in results.entries
        for bucket in results.buckets
        for name in _of_images(results, group)
        for image in IMAGES
        if (summary := results.summary(entry, bucket, name, image))
    )
    raw = results.predicts and _of_images(results, group)
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


def _details(entry: EntryResult) -> str:
    return ", ".join(f"{key} {value}" for key, value in entry.details.items())


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


def column_title(metric: AnyMetric) -> str:
    """ "PSNR dB"."""
    return f"{metric.title} {metric.unit}".strip()


def difference_title(metric: AnyMetric) -> str:
    """ "PSNR dB", but "|Seam| levels" where magnitudes are subtracted."""
    return f"{subtracted(metric.title, metric.better)} {metric.unit}".strip()


def _apart(summary: Summary, metric: AnyMetric) -> str:
    """The values that no mean contains."""
    return f", {_count(summary, metric)}" if summary.infinite else ""


def _count(summary: Summary, metric: AnyMetric) -> str:
    """A metric of which more is better is infinite for identical images alone, as PSNR is."""
    return f"{summary.infinite} {'identical' if metric.better == 'higher' else 'infinite'}"
