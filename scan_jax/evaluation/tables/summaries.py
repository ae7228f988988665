"""Summaries of results, each computed once for all the tables that show it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from scan_jax.evaluation import comparison
from scan_jax.evaluation.results import Entry, Results, Scores
from scan_jax.evaluation.statistics import Summary, summarize
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
        return None if ours is None or theirs is None else comparison.difference(ours, theirs, better)

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
