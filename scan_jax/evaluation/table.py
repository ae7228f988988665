"""The report of an evaluation: a table by hole ratio, and the conditions without which its numbers say nothing."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scan_jax.atomic_write import write_atomically
from scan_jax.evaluation.scoring import Scores
from scan_jax.metrics.standard import METRICS

COMPLETION = "prediction rounded to 8 bits in the hole, the photograph itself elsewhere"


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What was measured, and on what.

    Attributes:
      method: whose numbers these are.
      baseline: whose numbers stand beside them.
      step: updates that the network had seen.
      photographs: their source in one line.
      photographs_digest, holes_digest: the same digests, the same test.
      count: photographs in each bucket.
      size: height and width in pixels.
    """

    method: str
    baseline: str
    step: int
    photographs: str
    photographs_digest: str
    holes_digest: str
    count: int
    size: int

    def line(self) -> str:
        """All of it in one sentence, for the foot of a table."""
        definitions = "; ".join(metric.definition for metric in METRICS.values())
        return (
            f"Step {self.step}. {self.count} photographs ({self.photographs}, {self.photographs_digest[:12]}) at "
            f"{self.size}x{self.size}, each once in every bucket, holes {self.holes_digest[:12]}. "
            f"Completion: {COMPLETION}. {definitions}."
        )


@dataclasses.dataclass(frozen=True)
class Report:
    """Scores of a network and of a baseline under the same conditions."""

    conditions: Conditions
    scores: Scores
    baseline: Scores

    def mean(self, label: str, metric: str) -> float:
        """The network's mean over a bucket's photographs."""
        return float(self.scores[label][metric].mean())

    def gain(self, label: str, metric: str) -> float:
        """The network's mean minus the baseline's; equal means, infinite ones too, give 0."""
        ours, theirs = self.mean(label, metric), float(self.baseline[label][metric].mean())
        return 0.0 if ours == theirs else ours - theirs

    def text(self) -> str:
        """For the screen."""
        rows = [self._header(), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, self.conditions.line()])

    def markdown(self) -> str:
        """For a README."""
        header = self._header()
        lines = [header, ["---:"] * len(header), *self._rows()]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{self.conditions.line()}\n"

    def json(self) -> str:
        """Everything, with each photograph's values in the order of the photographs; an infinite value is "inf"."""
        buckets = {
            label: {
                metric: {
                    "mean": _number(self.mean(label, metric)),
                    "baseline_mean": _number(self.baseline[label][metric].mean()),
                    "per_image": [_number(value) for value in self.scores[label][metric]],
                    "baseline_per_image": [_number(value) for value in self.baseline[label][metric]],
                }
                for metric in METRICS
            }
            for label in self.scores
        }
        content: dict[str, Any] = {
            "conditions": {
                **dataclasses.asdict(self.conditions),
                "completion": COMPLETION,
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
        stem = f"step_{self.conditions.step:08d}"
        write_atomically(folder / f"{stem}.md", self.markdown().encode())
        write_atomically(folder / f"{stem}.json", self.json().encode())

    def _header(self) -> list[str]:
        ours, theirs = self.conditions.method, self.conditions.baseline
        cells = ["hole"]
        for name, metric in METRICS.items():
            shown = f"{name.upper()} {metric.unit}".strip()
            cells += [f"{shown} {ours}", theirs, *(["difference"] if name == "psnr" else [])]
        return [*cells, "n"]

    def _rows(self) -> Sequence[list[str]]:
        return [self._row(label) for label in self.scores]

    def _row(self, label: str) -> list[str]:
        cells = [label]
        for name, metric in METRICS.items():
            cells += [f"{value:.{metric.decimals}f}" for value in (self.mean(label, name), self._baseline(label, name))]
            cells += [f"{self.gain(label, name):+.{metric.decimals}f}"] if name == "psnr" else []
        return [*cells, str(self.conditions.count)]

    def _baseline(self, label: str, metric: str) -> float:
        return float(self.baseline[label][metric].mean())


def _number(value: float) -> float | str:
    """JSON has no infinity; `float` reads this text back."""
    return float(value) if math.isfinite(value) else str(float(value))
