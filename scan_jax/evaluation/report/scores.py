"""Scores as the tables of the page: a body for each bucket, a row for each entry, a column for each metric."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from scan_jax.evaluation import statistics
from scan_jax.evaluation.results import Entry, Results, Scores
from scan_jax.evaluation.statistics import Summary, best_of_images, best_of_sets, subtracted, summarize, verdict
from scan_jax.evaluation.statistics import printed as number
from scan_jax.evaluation.tables.summaries import infinite_counts
from scan_jax.metrics.api import AnyMetric, SetMetric

FIRST_GROUP = "standard"
GROUP_TITLES = {"standard": "Standard definitions", "checks": "Checks"}


@dataclasses.dataclass(frozen=True)
class Cell:
    """What a table shows of one metric in one bucket.

    Attributes:
      value: mean, or the value of a set; a word where there is none.
      deviation, interval: as text, or empty.
      remark: n where it differs from the bucket's, and how many were infinite.
      best: of its bucket and metric.
      verdict: of a difference, as `comparison.verdict`; or empty.
    """

    value: str
    deviation: str = ""
    interval: str = ""
    remark: str = ""
    best: bool = False
    verdict: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """Of one entry in one bucket; `series` numbers the entry's colour."""

    series: int
    name: str
    n: int
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
      caption: what its numbers are.
      columns: titles with units.
      bodies: rows by bucket; no rows are an empty bucket.
    """

    caption: str
    columns: tuple[str, ...]
    bodies: Mapping[str, tuple[Row, ...]]


def groups_of(results: Results) -> dict[str, tuple[str, ...]]:
    """Full names of the metrics by their group, the standard one first, "checks" last."""
    groups: dict[str, tuple[str, ...]] = {}
    for name in results.metrics:
        group = name.split("/")[0]
        groups[group] = (*groups.get(group, ()), name)
    order = {FIRST_GROUP: 0, "checks": 2}
    return dict(sorted(groups.items(), key=lambda item: order.get(item[0], 1)))


def per_image(results: Results, names: Sequence[str]) -> tuple[str, ...]:
    """Those that give each image a value."""
    return tuple(name for name in names if not isinstance(results.metrics[name], SetMetric))


def of_sets(results: Results, names: Sequence[str]) -> tuple[str, ...]:
    """Those that give a whole set one value."""
    return tuple(name for name in names if isinstance(results.metrics[name], SetMetric))


def heading(metric: AnyMetric) -> str:
    """Title and unit, as a column has them."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def difference_heading(metric: AnyMetric) -> str:
    """ "PSNR (dB)", but "|Seam| (levels)" where magnitudes are subtracted."""
    return heading(dataclasses.replace(metric, title=subtracted(metric.title, metric.better)))


def score_table(results: Results, names: Sequence[str], scores: Sequence[Scores], caption: str) -> Table:
    """Mean, deviation and interval of each entry.

    Args:
      results: of the evaluation.
      names: of metrics, full.
      scores: of every entry's completions, or predictions; an entry whose scores are empty has no row.
      caption: of the table.
    """
    metrics = [results.metrics[name] for name in names]
    shown = [(i, entry, own) for i, (entry, own) in enumerate(zip(results.entries, scores)) if own]
    bodies = {}
    for bucket in results.buckets:
        empty = not any(count_in(own, bucket) for _, _, own in shown)
        filled = [] if empty else [(i, entry, own.get(bucket, {})) for i, entry, own in shown]
        columns = [_column([own.get(name) for _, _, own in filled], metric) for name, metric in zip(names, metrics)]
        bodies[bucket] = tuple(
            Row(i, entry.name, max(map(len, own.values()), default=0), tuple(column[k] for column in columns))
            for k, (i, entry, own) in enumerate(filled)
        )
    return Table(caption, tuple(heading(metric) for metric in metrics), bodies)


def set_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The values of whole sets; n is the number of images in each set."""
    metrics = [results.metrics[name] for name in names]
    bodies = {}
    for bucket in results.buckets:
        filled = [(i, entry) for i, entry in enumerate(results.entries) if count_in(entry.completion, bucket)]
        columns = [
            _set_column([entry.sets.get(bucket, {}).get(name) for _, entry in filled], metric)
            for name, metric in zip(names, metrics)
        ]
        bodies[bucket] = tuple(
            Row(i, entry.name, count_in(entry.completion, bucket), tuple(column[k] for column in columns))
            for k, (i, entry) in enumerate(filled)
        )
    return Table(caption, tuple(heading(metric) for metric in metrics), bodies)


def difference_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The first entry minus each other one, photograph by photograph, with the verdict of the interval."""
    metrics = [results.metrics[name] for name in names]
    bodies = {}
    for bucket in results.buckets:
        rows = []
        for i, other in enumerate(results.entries[1:], start=1):
            found = {name: difference(results, other, bucket, name) for name in names}
            if count_in(other.completion, bucket) and count_in(results.entries[0].completion, bucket):
                cells = tuple(_difference_cell(found[name], metric) for name, metric in zip(names, metrics))
                rows.append(Row(i, other.name, count_in(other.completion, bucket), cells))
        bodies[bucket] = tuple(rows)
    return Table(caption, tuple(difference_heading(metric) for metric in metrics), bodies)


def difference(results: Results, other: Entry, bucket: str, name: str) -> Summary | None:
    """Of the first entry to another one, as `comparison.difference`; None where one of them has no scores."""
    ours, theirs = (entry.completion.get(bucket, {}).get(name) for entry in (results.entries[0], other))
    if ours is None or theirs is None or not len(ours) or not len(theirs):
        return None
    return statistics.difference(ours, theirs, results.metrics[name].better)


def count_in(scores: Scores, bucket: str) -> int:
    """Photographs that a bucket has scores of."""
    return max((len(values) for values in scores.get(bucket, {}).values()), default=0)


def _column(scores: Sequence[np.ndarray | None], metric: AnyMetric) -> list[Cell]:
    """One metric's cells in one bucket, the best of them marked."""
    found = [None if values is None or not len(values) else summarize(values) for values in scores]
    best = best_of_images(scores, metric)
    return [_cell(one, metric, marked) for one, marked in zip(found, best)]


def _set_column(values: Sequence[float | None], metric: AnyMetric) -> list[Cell]:
    best = best_of_sets(values, metric)
    return [Cell("absent") if v is None else Cell(number(v, metric), best=marked) for v, marked in zip(values, best)]


def _cell(found: Summary | None, metric: AnyMetric, best: bool) -> Cell:
    if found is None:
        return Cell("absent")
    if not found.n:
        return Cell("-infinite" if found.mean < 0 else "infinite", remark=f"all {found.infinite}", best=best)
    deviation = f"± {number(found.deviation, metric)}" if math.isfinite(found.deviation) else ""
    interval = f"[{number(found.low, metric)}, {number(found.high, metric)}]"
    return Cell(number(found.mean, metric), deviation, interval, _remark(found), best)


def _difference_cell(found: Summary | None, metric: AnyMetric) -> Cell:
    if found is None:
        return Cell("absent")
    judged = verdict(found, metric.better)
    if not found.n:
        if math.isinf(found.mean):
            return Cell(number(found.mean, metric, "+"), remark=f"all {found.infinite}", verdict=judged)
        return Cell("infinite", remark=infinite_counts(found), verdict=judged)
    interval = f"[{number(found.low, metric, '+')}, {number(found.high, metric, '+')}]"
    remark = f"n {found.n}, {infinite_counts(found)}" if found.infinite else ""
    return Cell(number(found.mean, metric, "+"), "", interval, remark, verdict=judged)


def _remark(found: Summary) -> str:
    return f"n {found.n}, {found.infinite} infinite" if found.infinite else ""
