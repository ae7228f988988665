"""The tables' numbers drawn: means by bucket, and differences to the first entry, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scan_jax.evaluation.report import svg
from scan_jax.evaluation.report.scores import difference, difference_heading, heading, number
from scan_jax.evaluation.results import Results
from scan_jax.evaluation.statistics import Summary, summarize


def bucket_charts(results: Results, names: Sequence[str]) -> tuple[svg.Chart, ...]:
    """One chart for each metric: its mean in every bucket, with its interval, for all entries."""
    return tuple(_bucket_chart(results, name) for name in names)


def difference_charts(results: Results, names: Sequence[str]) -> tuple[svg.Chart, ...]:
    """One chart for each metric: the first entry minus each other one by bucket; none where there is but one entry."""
    return tuple(_difference_chart(results, name) for name in names) if len(results.entries) > 1 else ()


def _bucket_chart(results: Results, name: str) -> svg.Chart:
    metric = results.metrics[name]
    found = {entry.name: _means(entry.completion, results.buckets, name) for entry in results.entries}
    with svg.context():
        figure, axes = svg.new_axes()
        for i, summaries in enumerate(found.values()):
            places = svg.spread_out(np.array(list(summaries)), i, len(found))
            means, errors = _bars(list(summaries.values()))
            axes.errorbar(places, means, errors, linestyle="-", **_marks(i))
        svg.name_ticks(axes, results.buckets, "x")
        axes.set_xlim(-0.5, len(results.buckets) - 0.5)
        axes.set_xlabel("share of the image that is hole")
        label = f"{metric.title} by bucket. {_in_words(results, found, name)}"
        return svg.Chart(heading(metric), svg.draw(figure, label), "mean and 95% interval")


def _difference_chart(results: Results, name: str) -> svg.Chart:
    metric, others = results.metrics[name], results.entries[1:]
    found: dict[str, dict[int, Summary]] = {}
    for other in others:
        each = [difference(results, other, bucket, name) for bucket in results.buckets]
        found[other.name] = {k: one for k, one in enumerate(each) if one is not None and one.n}
    with svg.context():
        figure, axes = svg.new_axes()
        axes.axvline(0, color=svg.INK, linewidth=1)
        for i, summaries in enumerate(found.values()):
            places = svg.spread_out(np.array(list(summaries)), i, len(found))
            means, errors = _bars(list(summaries.values()))
            axes.errorbar(means, places, xerr=errors, linestyle="", **_marks(i + 1))
        _order_from_top(axes, results.buckets)
        axes.locator_params(axis="x", nbins=5)
        axes.set_ylabel("hole")
        title = difference_heading(metric)
        label = f"{results.entries[0].name} minus each other, {title}. {_in_words(results, found, name)}"
        side = {"higher": "right of 0", "lower": "left of 0", "zero": "left of 0 (magnitudes)"}[metric.better]
        return svg.Chart(title, svg.draw(figure, label), f"{results.entries[0].name} is better {side}")


def _means(scores: Mapping[str, Mapping[str, np.ndarray]], buckets: Sequence[str], name: str) -> dict[int, Summary]:
    """By the bucket's position; buckets that have nothing finite are left out."""
    values = {k: scores[bucket][name] for k, bucket in enumerate(buckets) if name in scores.get(bucket, {})}
    summaries = {k: summarize(each) for k, each in values.items()}
    return {k: one for k, one in summaries.items() if one.n}


def _bars(summaries: Sequence[Summary]) -> tuple[np.ndarray, np.ndarray]:
    """Means [n], and how far their intervals reach below and above: [2,n]."""
    means = np.array([one.mean for one in summaries])
    reach = [[one.mean - one.low for one in summaries], [one.high - one.mean for one in summaries]]
    return means, np.maximum(np.array(reach).reshape(2, len(means)), 0)  # rounding may leave -1e-17


def _marks(index: int) -> dict[str, Any]:
    kind = index % len(svg.SERIES)
    return {
        "color": svg.SERIES[kind],
        "marker": svg.MARKERS[kind],
        "markersize": 5.5,
        "linewidth": 1.4,
        "elinewidth": 1.8,
        "capsize": 3,
    }


def _order_from_top(axes: Axes, buckets: Sequence[str]) -> None:
    svg.name_ticks(axes, buckets, "y")
    axes.set_ylim(len(buckets) - 0.5, -0.5)


def _in_words(results: Results, found: Mapping[str, Mapping[int, Summary]], name: str) -> str:
    metric = results.metrics[name]
    each = (
        f"{entry}: " + ", ".join(f"{results.buckets[k]} {number(one.mean, metric)}" for k, one in summaries.items())
        for entry, summaries in found.items()
    )
    return "; ".join(each)
