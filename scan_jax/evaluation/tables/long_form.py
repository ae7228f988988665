"""Results as CSV, one line for each number, which carries the digests of its test.

A paired difference is a line of the first entry, whose `metric` is "paired difference of standard/psnr" and whose
`minus` names the other entry; with "|checks/seam|" magnitudes were subtracted.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

from scan_jax.evaluation.comparison import subtracted
from scan_jax.evaluation.results import Entry
from scan_jax.evaluation.statistics import Summary
from scan_jax.evaluation.tables.summaries import IMAGES, Summaries

HEADER = (
    *("protocol", "photographs_digest", "holes_digest", "size", "entry", "kind", "bucket", "metric", "image"),
    *("mean", "deviation", "n", "infinite", "low", "high", "minus_infinite", "minus"),
)
SPEED, DIFFERENCE = "images_per_second", "paired difference of "
Cell = str | int | float


def render(summaries: Summaries) -> str:
    """A header and the lines; what is not known is empty. Lines of images per second belong to no bucket."""
    conditions = summaries.results.conditions
    test = (conditions.protocol, conditions.photographs_digest, conditions.holes_digest, conditions.size)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    first, *others = summaries.results.entries
    for entry in summaries.results.entries:
        for line in (*_of_images(summaries, entry), *_of_sets(summaries, entry), *_speed(entry)):
            writer.writerow(map(_plain, (*test, entry.name, entry.kind, *line, "")))
    for other in others:
        for line in _differences(summaries, other):
            writer.writerow(map(_plain, (*test, first.name, first.kind, *line, other.name)))
    return text.getvalue()


def _of_images(summaries: Summaries, entry: Entry) -> Iterator[tuple[Cell, ...]]:
    for bucket in summaries.results.buckets:
        for name in summaries.results.metrics:
            for image in IMAGES:
                summary = summaries.of(entry, image, bucket, name)
                if summary is not None:
                    yield bucket, name, image, *_numbers(summary)


def _differences(summaries: Summaries, other: Entry) -> Iterator[tuple[Cell, ...]]:
    for bucket in summaries.results.buckets:
        for name, metric in summaries.results.metrics.items():
            summary = summaries.difference(other, bucket, name)
            if summary is not None:
                yield bucket, DIFFERENCE + subtracted(name, metric.better), "completion", *_numbers(summary)


def _numbers(summary: Summary) -> tuple[Cell, ...]:
    return (
        summary.mean,
        summary.deviation,
        summary.n,
        summary.infinite,
        summary.low,
        summary.high,
        summary.minus_infinite,
    )


def _of_sets(summaries: Summaries, entry: Entry) -> Iterator[tuple[Cell, ...]]:
    for bucket, values in entry.sets.items():
        for name, value in values.items():
            yield bucket, name, "completion", value, "", summaries.results.conditions.count, "", "", "", ""


def _speed(entry: Entry) -> Iterator[tuple[Cell, ...]]:
    if entry.images_per_second is not None:
        yield "", SPEED, "", entry.images_per_second, "", "", "", "", "", ""


def _plain(cell: Cell) -> Cell:
    """NaN, where there is no such number, as nothing."""
    return "" if isinstance(cell, float) and math.isnan(cell) else cell
