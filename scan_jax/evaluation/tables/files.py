"""An evaluation's files: its tables as Markdown and LaTeX, every number as CSV, everything as JSON; and its screen.

CSV has one line for each number, which carries the digests of its test. A paired difference is a line of the first
entry, whose `metric` is "paired difference of standard/psnr" and whose `minus` names the other entry; with
"|checks/seam|" magnitudes were subtracted.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scan_jax.core.atomic_write import write_atomically
from scan_jax.evaluation.results import COMPLETION, IMAGES, EntryResult, Image, Results
from scan_jax.evaluation.statistics import Summary, subtracted
from scan_jax.evaluation.tables.by_bucket import brief, full, make_tables
from scan_jax.evaluation.tables.text_table import TextTable, latex, markdown, screen
from scan_jax.metrics.api import AnyMetric, Metric

LATEX_HEAD = "% \\input this file; it needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs}.\n"
HEADER = (
    *("protocol", "photographs_digest", "holes_digest", "size", "entry", "kind", "bucket", "metric", "image"),
    *("mean", "deviation", "n", "infinite", "low", "high", "minus_infinite", "minus"),
)
Content = dict[str, Any]


def screen_text(results: Results, protocol_tables: Sequence[TextTable] = ()) -> str:
    """All tables for the screen."""
    return "\n\n".join(map(screen, make_tables(results, full, protocol_tables))) + "\n"


def write_tables(folder: Path, results: Results, protocol_tables: Sequence[TextTable] = ()) -> list[Path]:
    """`results.csv`, `.json`, `.md` and `.tex` in `folder`, each whole or a UserError; LaTeX has means alone."""
    wide, narrow = (make_tables(results, show, protocol_tables) for show in (full, brief))
    contents = {
        "results.csv": csv_text(results),
        "results.json": json_text(results),
        "results.md": "\n".join(map(markdown, wide)),
        "results.tex": "\n".join([LATEX_HEAD, *map(latex, narrow)]),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return [folder / name for name in contents]


def csv_text(results: Results) -> str:
    """A header and the lines; what is not known is empty. Lines of images per second belong to no bucket."""
    test = {key: getattr(results.conditions, key) for key in HEADER[:4]}
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    for line in _lines(results):
        known = {key: value for key, value in line.items() if value == value}  # NaN is where there is no such number
        writer.writerow(test | known)
    return text.getvalue()


def _lines(results: Results) -> Iterator[Content]:
    first, *others = results.entries
    for entry in results.entries:
        who: Content = {"entry": entry.name, "kind": entry.kind}
        for bucket, name, image in itertools.product(results.buckets, results.metrics, IMAGES):
            if summary := results.summary(entry, bucket, name, image):
                yield {**who, "bucket": bucket, "metric": name, "image": image, **dataclasses.asdict(summary)}
        for bucket, values in entry.sets.items():
            whole = {**who, "bucket": bucket, "image": COMPLETION, "n": results.conditions.count}
            yield from ({**whole, "metric": name, "mean": value} for name, value in values.items())
        if entry.images_per_second is not None:
            yield {**who, "metric": "images_per_second", "mean": entry.images_per_second}
    for other, bucket, (name, metric) in itertools.product(others, results.buckets, results.metrics.items()):
        if summary := results.difference(other, bucket, name):
            title = f"paired difference of {subtracted(name, metric.better)}"
            who = {"entry": first.name, "kind": first.kind, "minus": other.name}
            yield {**who, "bucket": bucket, "metric": title, "image": COMPLETION, **dataclasses.asdict(summary)}


def json_text(results: Results) -> str:
    """Valid JSON: an infinite value is the text "inf", which `float` reads back; what is not known is null."""
    content = {
        "conditions": dataclasses.asdict(results.conditions),
        "protocol_line": results.conditions.line(),
        "metrics": {name: _definition(metric) for name, metric in results.metrics.items()},
        "entries": [_entry(results, entry) for entry in results.entries],
        "differences": [_json_differences(results, other) for other in results.entries[1:]],
    }
    return json.dumps(content, allow_nan=False, default=str) + "\n"


def _definition(metric: AnyMetric) -> Content:
    shown = ("title", "better", "unit", "decimals", "definition")
    return {"of": "image" if isinstance(metric, Metric) else "set"} | {key: getattr(metric, key) for key in shown}


def _entry(results: Results, entry: EntryResult) -> Content:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "details": dict(entry.details),
        "images_per_second": entry.images_per_second,
        "folder": entry.folder and str(entry.folder),
        "config": dict(entry.config),
        **{image: _scores(results, entry, image) for image in IMAGES},
        "sets": {bucket: {name: number(value) for name, value in of.items()} for bucket, of in entry.sets.items()},
    }


def _scores(results: Results, entry: EntryResult, image: Image) -> Content:
    """By bucket and metric."""
    return {
        bucket: {
            name: _summary(results.summary(entry, bucket, name, image)) | {"per_image": _shortest(values)}
            for name, values in of.items()
        }
        for bucket, of in entry.scores(image).items()
    }


def _json_differences(results: Results, other: EntryResult) -> Content:
    """The first entry's completions minus another's; `subtracted` says what: scores, or magnitudes where 0 is best."""
    buckets = {
        bucket: {
            name: {"subtracted": "magnitudes" if metric.better == "zero" else "scores"} | _summary(summary)
            for name, metric in results.metrics.items()
            if (summary := results.difference(other, bucket, name)) is not None
        }
        for bucket in results.buckets
    }
    return {"of": results.entries[0].name, "minus": other.name, "buckets": buckets}


def _summary(summary: Summary | None) -> Content:
    return {} if summary is None else {key: number(value) for key, value in dataclasses.asdict(summary).items()}


def _shortest(values: np.ndarray) -> list[float | str]:
    """Scores [n] as the shortest decimals that read back as the same float32."""
    return [float(str(value)) if math.isfinite(value) else str(value) for value in values.astype(np.float32)]


def number(value: float) -> float | str | None:
    """JSON has neither infinity, of which `float` reads the text back, nor NaN."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(float(value))
