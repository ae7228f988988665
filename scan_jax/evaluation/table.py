"""The report of an evaluation: a table by hole ratio, and the conditions without which its numbers say nothing."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scan_jax.core.atomic_write import write_atomically
from scan_jax.evaluation.results import Conditions, Scores
from scan_jax.evaluation.tables import text_table
from scan_jax.evaluation.tables import text_table as screen
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.standard import METRICS


@dataclasses.dataclass(frozen=True)
class Report:
    """Scores under the same conditions.

    Attributes:
      conditions: what was measured, and on what.
      method: whose numbers these are.
      step: updates that the network had seen.
      scores: the network's completions'.
      prediction: its raw predictions', known pixels included; in the JSON alone.
      baselines: of what needs no training, by name.
      refined: the network's after an optimisation at test time, by its name.
    """

    conditions: Conditions
    method: str
    step: int
    scores: Scores
    prediction: Scores
    baselines: Mapping[str, Scores]
    refined: Mapping[str, Scores] = dataclasses.field(default_factory=dict)

    def mean(self, label: str, metric: str) -> float:
        """The network's mean over a bucket's photographs."""
        return float(self.scores[label][metric].mean())

    def gain(self, label: str, metric: str, baseline: str) -> float:
        """The network's mean minus a baseline's; equal means, infinite ones too, give 0."""
        return _difference(self.scores, self.baselines[baseline], label, metric)

    def text(self) -> str:
        """For the screen."""
        return screen.screen(self._table())

    def markdown(self) -> str:
        """For a README."""
        return text_table.markdown(self._table())

    def json(self) -> str:
        """Everything, with each photograph's values in the order of the photographs; an infinite value is "inf"."""
        buckets = {
            label: {
                metric: {
                    **_summary(self.scores[label][metric]),
                    "prediction": _summary(self.prediction[label][metric]),
                    "baselines": {name: _summary(scores[label][metric]) for name, scores in self.baselines.items()},
                    "refined": {name: _summary(scores[label][metric]) for name, scores in self.refined.items()},
                }
                for metric in METRICS
            }
            for label in self.scores
        }
        content: dict[str, Any] = {
            "conditions": {
                "method": self.method,
                "step": self.step,
                **dataclasses.asdict(self.conditions),
                "metrics": {name: metric.definition for name, metric in METRICS.items()},
            },
            "buckets": buckets,
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        """`step_00001500.md` and `.json` in `folder`.

        Raises:
          UserError: the folder cannot be written to.
        """
        stem = f"step_{self.step:08d}"
        write_atomically(folder / f"{stem}.md", self.markdown().encode())
        write_atomically(folder / f"{stem}.json", self.json().encode())

    def _table(self) -> TextTable:
        """A row for the network in each bucket, and one for everyone whom it is compared with."""
        definitions = "; ".join(metric.definition for metric in METRICS.values())
        header = ("hole", "filled by", *map(_titled, METRICS), f"{self.method} above, dB", "n")
        rows = (row for label in self.scores for row in self._rows(label))
        return TextTable(
            title=f"Held-out photographs after {self.step} steps",
            header=header,
            rows=tuple(map(tuple, rows)),
            conditions=self.conditions,
            remark=f"Step {self.step}. {definitions}.",
            heads=2,
        )

    def _rows(self, label: str) -> list[list[str]]:
        """The network's row, then the others', with by how many dB the network is above each."""
        ours = [label, self.method, *(_mean(self.scores, label, name) for name in METRICS), ""]
        rows = [
            ["", theirs, *(_mean(scores, label, name) for name in METRICS), self._above(label, scores)]
            for theirs, scores in self._others().items()
        ]
        return [[*row, str(self.conditions.count)] for row in (ours, *rows)]

    def _others(self) -> dict[str, Scores]:
        """All that the network's own row is compared with, by what the table calls it."""
        refined = {f"with {name.replace('_', ' ')}": scores for name, scores in self.refined.items()}
        return {**refined, **self.baselines}

    def _above(self, label: str, theirs: Scores) -> str:
        return f"{_difference(self.scores, theirs, label, 'psnr'):+.{METRICS['psnr'].decimals}f}"


def _titled(metric: str) -> str:
    """ "psnr" -> "PSNR dB"."""
    return f"{metric.upper()} {METRICS[metric].unit}".strip()


def _difference(ours: Scores, theirs: Scores, label: str, metric: str) -> float:
    """Of the means over a bucket; equal means, infinite ones too, give 0."""
    first, second = float(ours[label][metric].mean()), float(theirs[label][metric].mean())
    return 0.0 if first == second else first - second


def _mean(scores: Scores, label: str, metric: str) -> str:
    return f"{scores[label][metric].mean():.{METRICS[metric].decimals}f}"


def _summary(values: np.ndarray) -> dict[str, Any]:
    """The mean, and each photograph's value."""
    return {"mean": _number(values.mean()), "per_image": [_number(value) for value in values]}


def _number(value: float) -> float | str:
    """JSON has no infinity; `float` reads this text back."""
    return float(value) if math.isfinite(value) else str(float(value))
