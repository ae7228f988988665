"""Measures the network of a training run on held-out photographs, beside what needs no training."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.distributed import is_first
from scan_jax.core.errors import UserError, counted
from scan_jax.core.run_layout import SCORES
from scan_jax.data.api import PhotoSource
from scan_jax.evaluation.benchmark import Benchmark
from scan_jax.evaluation.entries import Entry, Predict, baselines_for, by_network
from scan_jax.evaluation.results import Results, Scores
from scan_jax.evaluation.scoring import MetricSuite, measure
from scan_jax.evaluation.tables.files import number
from scan_jax.evaluation.tables.text_table import TextTable, markdown, screen
from scan_jax.masks.api import FixedSet
from scan_jax.metrics.standard import METRICS

log = logging.getLogger(__name__)


class Evaluator:
    """A benchmark and its baselines. Called with a network, it writes a table and yields its numbers.

    Photographs with labels are measured against the mean colour of each class, too.
    """

    def __init__(
        self,
        photographs: PhotoSource,
        holes: FixedSet,
        folder: Path,
        *,
        method: str,
        holes_name: str = "",
        batch_size: int = 16,
        limit: int = 0,
    ) -> None:
        """Computes nothing yet; a UserError where there are no photographs, a bucket has no holes, or the sizes differ.

        `holes_name` and `batch_size` are as of `Benchmark`; `folder` is where tables and the baselines' scores are
        kept, `method` the name that the table shows, and `limit` how many photographs, from the first; 0 is all.
        """
        count = min(limit or len(photographs), len(photographs))
        if not count:
            raise UserError(f"{photographs.name} has no photographs to evaluate on")
        self._benchmark = Benchmark(
            photographs, holes.holes, count, batch_size, holes_name=holes_name, holes_digest=holes.digest
        )
        _check_holes(self._benchmark)
        self._folder, self._method, self._suite = folder, method, MetricSuite(METRICS)
        self._baselines = baselines_for(photographs[0].get("labels"))

    def __call__(
        self, predict: Predict, step: int, refined: Mapping[str, Predict] | None = None
    ) -> Iterator[tuple[str, float]]:
        """Measures, logs the table, writes it as Markdown and JSON, then yields what belongs with the run's scalars.

        That is ("eval/psnr/30-40%", mean) for every metric and bucket, ("eval/psnr_gain/30-40%", mean minus that of the
        first baseline, Navier-Stokes), ("eval/prediction/psnr/30-40%", mean) of the raw prediction, and
        ("eval/style_search/psnr/30-40%", mean) of each in `refined`: predictions after an optimisation at test time, by
        its name. `step` counts the updates that the network has seen.
        """
        results = self.measure(predict, refined or {})
        table, network = training_table(results, step), results.entries[0]
        if is_first():
            stem = f"step_{step:08d}"
            write_atomically(self._folder / f"{stem}.md", markdown(table).encode())
            write_atomically(self._folder / f"{stem}.json", training_json(results, step).encode())
        log.info("held-out photographs, step %d:\n%s", step, screen(table))
        others = {one.details["refined"]: one.completion for one in results.entries[1:] if one.kind == "run"}
        first = next(one for one in results.entries if one.kind == "baseline")
        for label in results.buckets:
            for metric in METRICS:
                yield f"eval/{metric}/{label}", _mean(network.completion, label, metric)
                for name, scores in {"prediction": network.prediction, **others}.items():
                    yield f"eval/{name}/{metric}/{label}", _mean(scores, label, metric)
            yield f"eval/psnr_gain/{label}", _difference(network.completion, first.completion, label, "psnr")

    def measure(self, predict: Predict, refined: Mapping[str, Predict] | None = None) -> Results:
        """A network's scores, alone and refined, and the baselines', which are computed once and then read again."""
        network = Entry(self._method, "", "run", by_network(predict), None)
        after = [
            Entry(f"with {name.replace('_', ' ')}", "", "run", by_network(refine), None, {"refined": name})
            for name, refine in (refined or {}).items()
        ]
        found = measure([network, *after, *self._baselines], self._benchmark, self._suite, self._folder / SCORES)
        return Results(self._benchmark.conditions, METRICS, found)


def _check_holes(benchmark: Benchmark) -> None:
    if not benchmark.holes:
        raise UserError("there are no holes to evaluate with; widen config.evaluation.edges")
    size = benchmark.size
    for label, stack in benchmark.holes.items():
        if not len(stack):
            raise UserError(f"there are no holes of {label} to evaluate with; leave that bucket out")
        if stack.shape[1:] != (size, size):
            raise UserError(f"photographs are {size}x{size}, holes of {label} {stack.shape[1:]}; use one size")


def training_table(results: Results, step: int) -> TextTable:
    """A row for the network in each bucket, and one for everyone whom it is compared with, with the difference."""
    network, rows = results.entries[0], []
    for label in results.buckets:
        for one in results.entries:
            means = [f"{_mean(one.completion, label, name):.{metric.decimals}f}" for name, metric in METRICS.items()]
            above = f"{_difference(network.completion, one.completion, label, 'psnr'):+.{METRICS['psnr'].decimals}f}"
            start = [label, one.name] if one is network else ["", one.name]
            rows.append((*start, *means, "" if one is network else above, str(results.conditions.count)))
    titles = [f"{name.upper()} {metric.unit}".strip() for name, metric in METRICS.items()]
    definitions = "; ".join(metric.definition for metric in METRICS.values())
    return TextTable(
        title=f"Held-out photographs after {counted(step, 'step')}",
        header=("hole", "filled by", *titles, f"{network.name} above, dB", "n"),
        rows=tuple(rows),
        conditions=results.conditions,
        remark=f"Step {step}. {definitions}.",
        heads=2,
    )


def training_json(results: Results, step: int) -> str:
    """Everything, with each photograph's values in the order of the photographs; an infinite value is "inf"."""
    network, *others = results.entries
    baselines = {one.name: one for one in others if one.kind == "baseline"}
    refined = {one.details["refined"]: one for one in others if one.kind == "run"}

    def cell(label: str, metric: str) -> dict[str, Any]:
        def summary(scores: Scores) -> dict[str, Any]:
            values = scores[label][metric]
            return {"mean": number(float(values.mean())), "per_image": [number(float(value)) for value in values]}

        return {
            **summary(network.completion),
            "prediction": summary(network.prediction),
            "baselines": {name: summary(one.completion) for name, one in baselines.items()},
            "refined": {name: summary(one.completion) for name, one in refined.items()},
        }

    conditions = {
        "method": network.name,
        "step": step,
        **dataclasses.asdict(results.conditions),
        "metrics": {name: metric.definition for name, metric in METRICS.items()},
    }
    buckets = {label: {metric: cell(label, metric) for metric in METRICS} for label in results.buckets}
    return json.dumps({"conditions": conditions, "buckets": buckets}, indent=1, allow_nan=False) + "\n"


def _mean(scores: Scores, label: str, metric: str) -> float:
    """Over a bucket's photographs."""
    return float(scores[label][metric].mean())


def _difference(ours: Scores, theirs: Scores, label: str, metric: str) -> float:
    """Of the means over a bucket; equal means, infinite ones too, give 0."""
    first, second = _mean(ours, label, metric), _mean(theirs, label, metric)
    return 0.0 if first == second else first - second
