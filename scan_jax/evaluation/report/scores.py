"""Scores as the tables of the page: a body for each bucket, a row for each entry, a column for each metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from scan_jax.evaluation.results import COMPLETION, EntryResult, Image, Results
from scan_jax.evaluation.statistics import Summary, best_of_images, best_of_sets, printed, subtracted, verdict
from scan_jax.evaluation.tables.by_bucket import infinite_counts
from scan_jax.metrics.api import AnyMetric, Metric

GROUP_TITLES = {"standard": "Standard definitions", "checks": "Checks"}


class Cell(NamedTuple):
    """What a table shows of one metric in one bucket; texts are empty where there is nothing to say."""

    value: str  # mean, or the value of a set; a word where there is none
    deviation: str = ""
    interval: str = ""
    remark: str = ""  # n where it differs from the bucket's, and how many were infinite
    best: bool = False  # of its bucket and metric
    verdict: str = ""  # of a difference, as `statistics.verdict`


class Row(NamedTuple):
    """Of one entry in one bucket."""

    series: int  # the entry's colour
    name: str
    n: int
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """One table of the page."""

    caption: str  # what its numbers are
    columns: tuple[str, ...]  # titles with units
    bodies: Mapping[str, tuple[Row, ...]]  # by bucket; no rows are an empty bucket


def groups_of(results: Results) -> dict[str, tuple[str, ...]]:
    """Full names of the metrics by their group, the standard one first, "checks" last."""
    order = {"standard": 0, "checks": 2}
    return {key: tuple(results.groups[key]) for key in sorted(results.groups, key=lambda key: order.get(key, 1))}


def per_image(results: Results, names: Sequence[str]) -> tuple[str, ...]:
    """Those that give each image a value; the others give a whole set one."""
    return tuple(name for name in names if isinstance(results.metrics[name], Metric))


def heading(metric: AnyMetric, *, minus: bool = False) -> str:
    """ "PSNR (dB)", as a column has it; "|Seam| (levels)" for differences of magnitudes."""
    title = subtracted(metric.title, metric.better) if minus else metric.title
    return f"{title} ({metric.unit})" if metric.unit else title


def score_table(results: Results, names: Sequence[str], image: Image, caption: str) -> Table:
    """Mean, deviation and interval of each entry that has scores of `image`."""

    def column(entries: Sequence[EntryResult], bucket: str, name: str) -> list[Cell]:
        metric = results.metrics[name]
        best = best_of_images([entry.values(bucket, name, image) for entry in entries], metric)
        return [_cell(results.summary(entry, bucket, name, image), metric, b) for entry, b in zip(entries, best)]

    shown = [entry for entry in results.entries if entry.scores(image)]
    filled = {b: shown if any(entry.count(b, image) for entry in shown) else [] for b in results.buckets}
    return _table(results, names, caption, filled, column, image)


def set_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The values of whole sets; n is the number of images in each set."""

    def column(entries: Sequence[EntryResult], bucket: str, name: str) -> list[Cell]:
        metric, values = results.metrics[name], [entry.sets.get(bucket, {}).get(name) for entry in entries]
        marked = zip(values, best_of_sets(values, metric))
        return [Cell("absent") if v is None else Cell(printed(v, metric), best=best) for v, best in marked]

    filled = {bucket: [entry for entry in results.entries if entry.count(bucket)] for bucket in results.buckets}
    return _table(results, names, caption, filled, column)


def difference_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The first entry minus each other one, photograph by photograph, with the verdict of the interval."""

    def column(entries: Sequence[EntryResult], bucket: str, name: str) -> list[Cell]:
        metric = results.metrics[name]
        return [_difference_cell(results.difference(other, bucket, name), metric) for other in entries]

    first, *others = results.entries
    filled = {b: [one for one in others if one.count(b)] if first.count(b) else [] for b in results.buckets}
    return _table(results, names, caption, filled, column, minus=True)


def _table(
    results: Results,
    names: Sequence[str],
    caption: str,
    filled: Mapping[str, Sequence[EntryResult]],
    column: Callable[[Sequence[EntryResult], str, str], list[Cell]],
    image: Image = COMPLETION,
    *,
    minus: bool = False,
) -> Table:
    """A row for every entry that filled a bucket; `column` makes the cells of one metric in one bucket."""
    series = {entry.name: i for i, entry in enumerate(results.entries)}
    bodies = {}
    for bucket, entries in filled.items():
        columns = [column(entries, bucket, name) for name in names]
        bodies[bucket] = tuple(
            Row(series[entry.name], entry.name, entry.count(bucket, image), tuple(cells))
            for entry, *cells in zip(entries, *columns)
        )
    return Table(caption, tuple(heading(results.metrics[name], minus=minus) for name in names), bodies)


def _cell(found: Summary | None, metric: AnyMetric, best: bool) -> Cell:
    if found is None or found.empty:
        return Cell("absent")
    if not found.n:
        return Cell("-infinite" if found.mean < 0 else "infinite", remark=f"all {found.infinite}", best=best)
    deviation = f"± {printed(found.deviation, metric)}" if math.isfinite(found.deviation) else ""
    interval = f"[{printed(found.low, metric)}, {printed(found.high, metric)}]"
    remark = f"n {found.n}, {found.infinite} infinite" if found.infinite else ""
    return Cell(printed(found.mean, metric), deviation, interval, remark, best)


def _difference_cell(found: Summary | None, metric: AnyMetric) -> Cell:
    if found is None or found.empty:
        return Cell("absent")
    word, infinite = verdict(found, metric.better), infinite_counts(found)
    mean, low, high = (printed(value, metric, "+") for value in (found.mean, found.low, found.high))
    if not found.n and not math.isinf(found.mean):
        return Cell("infinite", remark=infinite, verdict=word)
    if not found.n:
        return Cell(mean, remark=f"all {found.infinite}", verdict=word)
    return Cell(mean, "", f"[{low}, {high}]", f"n {found.n}, {infinite}" if infinite else "", verdict=word)
