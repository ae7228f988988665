"""How a number is written: with its spread where there is room, alone where there is not."""

from __future__ import annotations

import math
from collections.abc import Callable

from scan_jax.evaluation.statistics import Summary
from scan_jax.metrics.api import AnyMetric, Better

EMPTY, NOT_MEASURED = "empty", "not measured"
Show = Callable[[Summary, AnyMetric], str]


def full(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67 ± 3.1 [25.40, 25.94], 3 identical": mean, deviation, the mean's 95% interval, and what is in none."""
    if not summary.n:
        return brief(summary, metric)
    return with_interval(summary, metric, spread=f" ± {_number(summary.deviation, max(metric.decimals - 1, 1))}")


def brief(summary: Summary, metric: AnyMetric) -> str:
    """ "25.67, 3 identical"; "empty" without any photograph, "inf (5 identical)" without a finite value."""
    if summary.n:
        return _number(summary.mean, metric.decimals) + _apart(summary, metric)
    return f"inf ({_count(summary, metric)})" if summary.infinite else EMPTY


def difference(summary: Summary, metric: AnyMetric) -> str:
    """ "+1.23 [+1.10, +1.36]"."""
    if not summary.n:
        return f"inf ({summary.infinite} infinite)" if summary.infinite else EMPTY
    mean, low, high = (f"{value:+z.{metric.decimals}f}" for value in (summary.mean, summary.low, summary.high))
    counted = f", {summary.infinite} infinite" if summary.infinite else ""
    return (f"{mean} [{low}, {high}]" if summary.n > 1 else mean) + counted


def with_interval(summary: Summary, metric: AnyMetric, spread: str = "") -> str:
    """ "25.67 [25.40, 25.94]", `spread` after the mean; one value has neither spread nor interval."""
    mean, low, high = (_number(value, metric.decimals) for value in (summary.mean, summary.low, summary.high))
    return (f"{mean}{spread} [{low}, {high}]" if summary.n > 1 else mean) + _apart(summary, metric)


def of_set(value: float, metric: AnyMetric) -> str:
    """A metric of sets, which has no spread."""
    return _number(value, metric.decimals)


def column_title(metric: AnyMetric) -> str:
    """ "PSNR dB"."""
    return f"{metric.title} {metric.unit}".strip()


def rank(value: float, better: Better) -> float:
    """Lower is better, whatever the metric; NaN ranks last."""
    ranks = {"higher": -value, "lower": value, "zero": abs(value)}
    return math.inf if math.isnan(value) else ranks[better]


def central(summary: Summary) -> float:
    """What a photograph set is ranked by: the mean, infinite where all values are, NaN where there are none."""
    return math.inf if summary.infinite and not summary.n else summary.mean


def _number(value: float, decimals: int) -> str:
    """Never "-0.00"."""
    return f"{value:z.{decimals}f}"


def _apart(summary: Summary, metric: AnyMetric) -> str:
    """The values that no mean contains."""
    return f", {_count(summary, metric)}" if summary.infinite else ""


def _count(summary: Summary, metric: AnyMetric) -> str:
    """A metric of which more is better is infinite for identical images alone, as PSNR is."""
    return f"{summary.infinite} {'identical' if metric.better == 'higher' else 'infinite'}"
