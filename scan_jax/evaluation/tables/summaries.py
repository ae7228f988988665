"""Summaries of results, each computed once for all the tables that show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from scan_jax.evaluation import statistics
from scan_jax.evaluation.results import Entry, Results, Scores
from scan_jax.evaluation.statistics import Summary, printed, subtracted, summarize
from scan_jax.metrics.api import AnyMetric, Metric

Image = Literal["completion", "prediction"]
IMAGES: tuple[Image, ...] = ("completion", "prediction")


class Summaries:
    """Of the scores of every entry."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._found: dict[tuple[str, Image, str, str], Summary | None] = {}

    def of(self, entry: Entry, image: Image, bucket: str, metric: str) -> Summary | None:
        """The summary of an entry's scores; None where it has none."""
        key = (entry.name, image, bucket, metric)
        if key not in self._found:
            values = self.values(entry, image, bucket, metric)
            self._found[key] = None if values is None else summarize(values)
        return self._found[key]

    def values(self, entry: Entry, image: Image, bucket: str, metric: str) -> np.ndarray | None:
        """An entry's scores [n]; None where it has none."""
        return _scores(entry, image).get(bucket, {}).get(metric)

    def difference(self, other: Entry, bucket: str, metric: str) -> Summary | None:
        """Of the first entry minus another, as `comparison.difference`; None where one of them has no scores."""
        pair = (self.results.entries[0], other)
        ours, theirs = (self.values(entry, "completion", bucket, metric) for entry in pair)
        better = self.results.metrics[metric].better
        return None if ours is None or theirs is None else statistics.difference(ours, theirs, better)

    @property
    def predicts(self) -> bool:
        """Whether any entry has raw predictions."""
        return any(entry.prediction for entry in self.results.entries)

    def groups(self) -> list[str]:
        """Those of the metrics, in order."""
        return list(dict.fromkeys(name.split("/")[0] for name in self.results.metrics))

    def metrics_of(self, group: str) -> dict[str, AnyMetric]:
        """A group's metrics by full name."""
        return {name: metric for name, metric in self.results.metrics.items() if name.split("/")[0] == group}

    def of_images(self, group: str) -> dict[str, Metric]:
        """Those of them that give every image a score."""
        return {name: metric for name, metric in self.metrics_of(group).items() if isinstance(metric, Metric)}


def _scores(entry: Entry, image: Image) -> Scores:
    return entry.completion if image == "completion" else entry.prediction


EMPTY, NOT_MEASURED = "empty", "not measured"
Show = Callable[[Summary, AnyMetric], str]


def full(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67 ± 3.1 [25.40, 25.94], 3 identical": mean, deviation, the mean's 95% interval, and what is in none."""
    if not summary.n:
        return brief(summary, metric)
    return with_interval(summary, metric, spread=f" ± {summary.deviation:.{max(metric.decimals - 1, 1)}f}")


def brief(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67, 3 identical"; "empty" without any photograph, "inf (5 identical)" without a finite value."""
    if summary.n:
        return printed(summary.mean, metric) + _apart(summary, metric)
    return f"{printed(summary.mean, metric)} ({_count(summary, metric)})" if summary.infinite else EMPTY


def difference(summary: Summary, metric: AnyMetric) -> str:
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


def with_interval(summary: Summary, metric: AnyMetric, spread: str = "") -> str:
    """ "25.67 [25.40, 25.94]", `spread` after the mean; one value has neither spread nor interval."""
    mean, low, high = (printed(value, metric) for value in (summary.mean, summary.low, summary.high))
    return (f"{mean}{spread} [{low}, {high}]" if summary.n > 1 else mean) + _apart(summary, metric)


def of_set(value: float, metric: AnyMetric) -> str:
    """A metric of sets, which has no spread."""
    return printed(value, metric)


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
