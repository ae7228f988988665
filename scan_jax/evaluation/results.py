"""What an evaluation found: who filled the holes, how well, and under which conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scan_jax.core.errors import counted
from scan_jax.evaluation import statistics
from scan_jax.evaluation.statistics import Summary, summarize
from scan_jax.metrics.api import AnyMetric

# bucket ("30-40%") -> metric ("standard/psnr") -> one value for each photograph, float32 [n]
Scores = Mapping[str, Mapping[str, np.ndarray]]
# bucket -> metric of sets ("inception/fid") -> its value
SetScores = Mapping[str, Mapping[str, float]]
Kind = Literal["run", "predictions", "baseline"]
Rank = Literal["best", "median", "worst"]
Image = Literal["completion", "prediction"]
COMPLETION: Image = "completion"  # the prediction in the hole, the photograph elsewhere
PREDICTION: Image = "prediction"  # the network's output, known pixels included
IMAGES = (COMPLETION, PREDICTION)


@dataclasses.dataclass(frozen=True)
class Conditions:
    """Without these, numbers say nothing."""

    protocol: str  # name and version, such as "scan_celeba_hq v1", or "of faces64 v1"
    photographs: str  # their source in one line, split and its hash included
    photographs_digest: str  # SHA-256 (hex); with that of the holes: the same digests, the same test
    holes: str  # their source in one line
    holes_digest: str
    count: int  # photographs in each bucket
    size: int  # height and width in pixels
    completion: str  # what was measured, in one clause

    def line(self) -> str:
        """All of it in two sentences, for the foot of a table."""
        photographs = counted(self.count, "photograph")
        return (
            f"Protocol {self.protocol}: {photographs} ({self.photographs}, {self.photographs_digest[:12]}) "
            f"at {self.size}x{self.size}, each once in every bucket (low, high] of hole ratios, photograph i with hole "
            f"i modulo their number; holes {self.holes} ({self.holes_digest[:12]}). Completion: {self.completion}."
        )


@dataclasses.dataclass(frozen=True)
class EntryResult:
    """Who filled the holes, and how well."""

    name: str  # in tables; no two entries of an evaluation share it
    kind: Kind
    details: Mapping[str, str]  # such as {"folder": "runs/faces64", "step": "4900", "parameters": "8c1f..."}
    completion: Scores
    prediction: Scores  # of the raw predictions; empty where there are none
    sets: SetScores  # of the completed images
    images_per_second: float | None = None  # None where that is not known
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the run; empty for others
    folder: Path | None = None  # of the run, with its scalars; None for others

    @property
    def speed(self) -> str:
        """Images per second, for the reader."""
        speed = self.images_per_second
        return "not known" if speed is None else f"{speed:{',.0f' if speed >= 100 else '.3g'}}"

    def scores(self, image: Image) -> Scores:
        """Of the completed images, or of the raw predictions."""
        return self.completion if image == COMPLETION else self.prediction

    def values(self, bucket: str, metric: str, image: Image = COMPLETION) -> np.ndarray | None:
        """Scores [n]; None where there are none."""
        return self.scores(image).get(bucket, {}).get(metric)

    def count(self, bucket: str, image: Image = COMPLETION) -> int:
        """Photographs that the bucket has scores of."""
        return max(map(len, self.scores(image).get(bucket, {}).values()), default=0)


@dataclasses.dataclass(frozen=True)
class Case:
    """One photograph in one bucket, as it is shown in the report."""

    bucket: str  # such as "30-40%"
    index: int  # of the photograph
    rank: Rank  # by the first entry's score
    known: np.ndarray  # float32 [S,S,1], 1 = known pixel
    truth: np.ndarray  # uint8 [S,S,3]
    completions: Mapping[str, np.ndarray]  # uint8 [S,S,3] by the entry's name
    # What pixels of the hole attend to, uint8 [S,S,3] by title; empty for most methods.
    looks: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything that tables and the report are made from; each summary is computed once."""

    conditions: Conditions
    metrics: Mapping[str, AnyMetric]  # the columns, by full name, in order
    entries: tuple[EntryResult, ...]  # the first is the one that the others are compared with
    cases: tuple[Case, ...] = ()  # pictures for the report
    _summaries: dict[tuple[str, ...], Summary] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def buckets(self) -> tuple[str, ...]:
        """Their labels, in order."""
        return tuple(self.entries[0].completion)

    @property
    def groups(self) -> dict[str, dict[str, AnyMetric]]:
        """Metrics by full name, by their group, in order."""
        groups: dict[str, dict[str, AnyMetric]] = {}
        for name, metric in self.metrics.items():
            groups.setdefault(name.split("/")[0], {})[name] = metric
        return groups

    @property
    def predicts(self) -> bool:
        """Whether any entry has raw predictions."""
        return any(entry.prediction for entry in self.entries)

    def summary(self, entry: EntryResult, bucket: str, metric: str, image: Image = COMPLETION) -> Summary | None:
        """Of an entry's scores; None where it has none."""
        values, key = entry.values(bucket, metric, image), (entry.name, bucket, metric, image)
        if values is not None and key not in self._summaries:
            self._summaries[key] = summarize(values)
        return self._summaries.get(key)

    def difference(self, other: EntryResult, bucket: str, metric: str) -> Summary | None:
        """Of the first entry minus another, as `statistics.difference`; None where one of them has no scores."""
        ours, theirs = (entry.values(bucket, metric) for entry in (self.entries[0], other))
        key = (other.name, bucket, metric, "minus")
        if ours is not None and theirs is not None and key not in self._summaries:
            self._summaries[key] = statistics.difference(ours, theirs, self.metrics[metric].better)
        return self._summaries.get(key)
