"""Results as JSON: everything, each photograph's values in the order of the photographs."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np

from scan_jax.evaluation.results import Entry, Results
from scan_jax.evaluation.statistics import Summary
from scan_jax.evaluation.tables.summaries import IMAGES, Image, Summaries
from scan_jax.metrics.api import AnyMetric, SetMetric

Content = dict[str, Any]


def render(summaries: Summaries) -> str:
    """Valid JSON: an infinite value is the text "inf", which `float` reads back; what is not known is null."""
    results = summaries.results
    content = {
        "conditions": dataclasses.asdict(results.conditions),
        "protocol_line": results.conditions.line(),
        "metrics": {name: _definition(metric) for name, metric in results.metrics.items()},
        "entries": [_entry(summaries, entry) for entry in results.entries],
        "differences": [_differences(summaries, other) for other in results.entries[1:]],
    }
    return json.dumps(content, allow_nan=False, default=str) + "\n"


def _definition(metric: AnyMetric) -> Content:
    shown = ("title", "better", "unit", "decimals", "definition")
    return {"of": "set" if isinstance(metric, SetMetric) else "image"} | {key: getattr(metric, key) for key in shown}


def _entry(summaries: Summaries, entry: Entry) -> Content:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "details": dict(entry.details),
        "images_per_second": entry.images_per_second,
        "folder": entry.folder and str(entry.folder),
        "config": dict(entry.config),
        **{image: _scores(summaries, entry, image) for image in IMAGES},
        "sets": {bucket: {name: _number(value) for name, value in of.items()} for bucket, of in entry.sets.items()},
    }


def _scores(summaries: Summaries, entry: Entry, image: Image) -> Content:
    """By bucket and metric."""
    scores = entry.completion if image == "completion" else entry.prediction
    return {
        bucket: {
            name: _summary(summaries.of(entry, image, bucket, name)) | {"per_image": _shortest(values)}
            for name, values in of.items()
        }
        for bucket, of in scores.items()
    }


def _differences(summaries: Summaries, other: Entry) -> Content:
    """The first entry's completions minus another's; `subtracted` says what: scores, or magnitudes where 0 is best."""
    results: Results = summaries.results
    buckets = {
        bucket: {
            name: {"subtracted": "magnitudes" if metric.better == "zero" else "scores"} | _summary(summary)
            for name, metric in results.metrics.items()
            if (summary := summaries.difference(other, bucket, name)) is not None
        }
        for bucket in results.buckets
    }
    return {"of": results.entries[0].name, "minus": other.name, "buckets": buckets}


def _summary(summary: Summary | None) -> Content:
    return {} if summary is None else {key: _number(value) for key, value in dataclasses.asdict(summary).items()}


def _shortest(values: np.ndarray) -> list[float | str]:
    """Scores [n] as the shortest decimals that read back as the same float32."""
    return [float(str(value)) if math.isfinite(value) else str(value) for value in values.astype(np.float32)]


def _number(value: float) -> float | str | None:
    """JSON has neither infinity nor NaN."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(float(value))
