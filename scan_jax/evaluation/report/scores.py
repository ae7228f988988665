"""Scores as the tables of the page: a body for each bucket, a row for each entry, a column for each metric."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence

from scan_jax.evaluation.results import COMPLETION, EntryResult, Image, Results
from scan_jax.evaluation.statistics import Summary, best_of_images, best_of_sets, subtracted, verdict
from scan_jax.evaluation.statistics import printed as number
from scan_jax.evaluation.tables.by_bucket import infinite_counts
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
      verdict: of a difference, as `statistics.verdict`; or empty.
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
    order = {FIRST_GROUP: 0, "checks": 2}
    return {key: tuple(results.groups[key]) for key in sorted(results.groups, key=lambda key: order.get(key, 1))}


def per_image(results: Results, names: Sequence[str]) -> tuple[str, ...]:
    """Those that give each image a value; the others give a whole set one."""
    return tuple(name for name in names if not isinstance(results.metrics[name], SetMetric))


def heading(metric: AnyMetric) -> str:
    """Title and unit, as a column has them."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def difference_heading(metric: AnyMetric) -> str:
    """ "PSNR (dB)", but "|Seam| (levels)" where magnitudes are subtracted."""
    return heading(dataclasses.replace(metric, title=subtracted(metric.title, metric.better)))


def score_table(results: Results, names: Sequence[str], image: Image, caption: str) -> Table:
    """Mean, deviation and interval of each entry.

    Args:
      results: of the evaluation.
      names: of metrics, full.
      image: whose scores; an entry that has none has no row.
      caption: of the table.
    """
    shown = [entry for entry in results.entries if entry.scores(image)]
    filled = {b: shown if any(entry.count(b, image) for entry in shown) else [] for b in results.buckets}
    return _table(results, names, image, caption, filled, functools.partial(_column, results, image))


def set_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The values of whole sets; n is the number of images in each set."""
    filled = {bucket: [entry for entry in results.entries if entry.count(bucket)] for bucket in results.buckets}
    return _table(results, names, COMPLETION, caption, filled, functools.partial(_set_column, results))


def _table(
    results: Results,
    names: Sequence[str],
    image: Image,
    caption: str,
    filled: Mapping[str, list[EntryResult]],
    column: Callable[[list[EntryResult], str, str], list[Cell]],
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
    return Table(caption, tuple(heading(results.metrics[name]) for name in names), bodies)


def difference_table(results: Results, names: Sequence[str], caption: str) -> Table:
    """The first entry minus each other one, photograph by photograph, with the verdict of the interval."""
    first, *others = results.entries
    bodies = {
        bucket: tuple(
            Row(i, other.name, other.count(bucket), tuple(_difference_cell(results, other, bucket, n) for n in names))
            for i, other in enumerate(others, start=1)
            if other.count(bucket) and first.count(bucket)
        )
        for bucket in results.buckets
    }
    return Table(caption, tuple(difference_heading(results.metrics[name]) for name in names), bodies)


def _column(results: Results, image: Image, entries: Sequence[EntryResult], bucket: str, name: str) -> list[Cell]:
    """One metric's cells in one bucket, the best of them marked."""
    metric = results.metrics[name]
    best = best_of_images([entry.values(bucket, name, image) for entry in entries], metric)
    return [_cell(results.summary(entry, bucket, name, image), metric, b) for entry, b in zip(entries, best)]


def _set_column(results: Results, entries: Sequence[EntryResult], bucket: str, name: str) -> list[Cell]:
    metric, values = results.metrics[name], [entry.sets.get(bucket, {}).get(name) for entry in entries]
    best = best_of_sets(values, metric)
    return [Cell("absent") if v is None else Cell(number(v, metric), best=marked) for v, marked in zip(values, best)]


def _cell(found: Summary | None, metric: AnyMetric, best: bool) -> Cell:
    if found is None or found.empty:
        return Cell("absent")
    if not found.n:
        return Cell("-infinite" if found.mean < 0 else "infinite", remark=f"all {found.infinite}", best=best)
    deviation = f"± {number(found.deviation, metric)}" if math.isfinite(found.deviation) else ""
    interval = f"[{number(found.low, metric)}, {number(found.high, metric)}]"
    remark = f"n {found.n}, {found.infinite} infinite" if found.infinite else ""
    return Cell(number(found.mean, metric), deviation, interval, remark, best)


def _difference_cell(results: Results, other: EntryResult, bucket: str, name: str) -> Cell:
    found, metric = results.difference(other, bucket, name), results.metrics[name]
    if found is None or found.empty:
        return Cell("absent")
    word = verdict(found, metric.better)
    if not found.n:
        if math.isinf(found.mean):
            return Cell(number(found.mean, metric, "+"), remark=f"all {found.infinite}", verdict=word)
        return Cell("infinite", remark=infinite_counts(found), verdict=word)
    interval = f"[{number(found.low, metric, '+')}, {number(found.high, metric, '+')}]"
    remark = f"n {found.n}, {infinite_counts(found)}" if found.infinite else ""
    return Cell(number(found.mean, metric, "+"), "", interval, remark, verdict=word)
