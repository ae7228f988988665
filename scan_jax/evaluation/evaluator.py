"""Measures a network on held-out photographs with fixed holes, beside what needs no training."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scan_jax.core.distributed import is_first
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import SCORES
from scan_jax.evaluation.baselines import Baseline, baselines_for
from scan_jax.evaluation.filling import COMPLETION, PREDICTION, Predict, by_network, to_float
from scan_jax.evaluation.protocol import COMPLETION as COMPLETION_RULE
from scan_jax.evaluation.results import Conditions
from scan_jax.evaluation.score_store import ScoreStore
from scan_jax.evaluation.scoring import Photographs, Scores, Test, score
from scan_jax.evaluation.table import Report
from scan_jax.metrics.api import AnyMetric, Metric, SetMetric
from scan_jax.metrics.standard import METRICS

log = logging.getLogger(__name__)


class FixedHoles(Protocol):
    """What the evaluation asks of a fixed set of holes."""

    @property
    def holes(self) -> Mapping[str, np.ndarray]:
        """bool [n,S,S] by bucket label, such as "30-40%"."""
        ...

    @property
    def digest(self) -> str:
        """The same digest, the same holes."""
        ...


class Evaluator:
    """One test: photographs, holes and baselines. Called with a network, it writes a report and yields its numbers.

    Photographs with labels are measured against the mean colour of each class, too.
    """

    def __init__(
        self,
        photographs: Photographs,
        holes: FixedHoles,
        folder: Path,
        *,
        method: str,
        holes_name: str = "",
        batch_size: int = 16,
        limit: int = 0,
    ) -> None:
        """Checks that the photographs and holes fit; computes nothing yet.

        Args:
          photographs: the held-out ones.
          holes: the fixed set.
          folder: where reports and the baselines' scores are kept.
          method: the name that the table shows.
          holes_name: their source in one line.
          batch_size: photographs at a time; the last batch is padded, so that the network is compiled once.
          limit: how many photographs, from the first; 0 is all.

        Raises:
          UserError: there are no photographs, a bucket has no holes, or the sizes differ.
        """
        self._photographs, self._holes, self._folder = photographs, holes, folder
        self._method, self._holes_name = method, holes_name
        count = min(limit or len(photographs), len(photographs))
        if not count:
            raise UserError(f"{photographs.name} has no photographs to evaluate on")
        self._size = self._common_size()
        self._test = Test(photographs, holes.holes, count, batch_size)
        self._judge = Judge(METRICS)
        self._baselines = baselines_for(photographs[0].get("labels"))

    def _common_size(self) -> int:
        """Height and width of every photograph and hole."""
        size = self._photographs[0]["image"].shape[0]
        if not self._holes.holes:
            raise UserError("there are no holes to evaluate with; widen config.evaluation.edges")
        for label, stack in self._holes.holes.items():
            if not len(stack):
                raise UserError(f"there are no holes of {label} to evaluate with; leave that bucket out")
            if stack.shape[1:] != (size, size):
                raise UserError(f"photographs are {size}x{size}, holes of {label} {stack.shape[1:]}; use one size")
        return size

    def __call__(
        self, predict: Predict, step: int, refined: Mapping[str, Predict] | None = None
    ) -> Iterator[tuple[str, float]]:
        """Measures, logs the table, writes it as Markdown and JSON, then yields what belongs with the run's scalars.

        Args:
          predict: image [B,S,S,3] without its hole, known [B,S,S,1] and labels [B,S,S] or None to a prediction
            [B,S,S,3].
          step: updates that the network has seen.
          refined: predictions after an optimisation at test time, by its name.

        Yields:
          ("eval/psnr/30-40%", mean) for every metric and bucket, ("eval/psnr_gain/30-40%", mean minus that of the
          first baseline, Navier-Stokes), ("eval/prediction/psnr/30-40%", mean) of the raw prediction, and
          ("eval/style_search/psnr/30-40%", mean) where it was refined.
        """
        report = self.report(predict, step, refined or {})
        if is_first():
            report.write(self._folder)
        log.info("held-out photographs, step %d:\n%s", step, report.text())
        for label in report.scores:
            for metric in METRICS:
                yield f"eval/{metric}/{label}", report.mean(label, metric)
                for name, scores in {"prediction": report.prediction, **report.refined}.items():
                    yield f"eval/{name}/{metric}/{label}", float(scores[label][metric].mean())
            yield f"eval/psnr_gain/{label}", report.gain(label, "psnr", self._baselines[0].name)

    def report(self, predict: Predict, step: int, refined: Mapping[str, Predict] | None = None) -> Report:
        """Measures a network, alone and refined, and, the first time, the baselines."""
        found = score(by_network(predict), self._test, self._judge, title="evaluating").scores
        after = {
            name: score(by_network(refine), self._test, self._judge, title=name.replace("_", " ")).scores[COMPLETION]
            for name, refine in (refined or {}).items()
        }
        return Report(
            self._conditions(), self._method, step, found[COMPLETION], found[PREDICTION], self.baselines(), after
        )

    def _conditions(self) -> Conditions:
        return Conditions(
            protocol="of the config",
            photographs=self._photographs.name,
            photographs_digest=self._photographs.digest,
            holes=self._holes_name,
            holes_digest=self._holes.digest,
            count=self._test.count,
            size=self._size,
            completion=COMPLETION_RULE,
        )

    def baselines(self) -> Mapping[str, Scores]:
        """The baselines' scores on the same photographs and holes, by name; computed once, then read from `folder`."""
        return {baseline.name: self._measure(baseline) for baseline in self._baselines}

    def _measure(self, baseline: Baseline) -> Scores:
        definitions = [metric.definition for metric in METRICS.values()]
        test = [self._test.digest, self._test.batch_size]
        store = ScoreStore(self._folder / SCORES, baseline.key, [*test, *baseline.depends_on, *definitions])
        return score(baseline.fill, self._test, self._judge, title=baseline.name, store=store).scores[COMPLETION]


# Moves a tree of arrays to the devices; a batch is shared among them, parameters are copied to each.
Place = Callable[[Any], Any]


class Judge:
    """Scores of images against their photographs."""

    def __init__(
        self, metrics: Mapping[str, AnyMetric], share: Place = jax.device_put, copy: Place = jax.device_put
    ) -> None:
        """Compiles nothing yet.

        Args:
          metrics: by their full name.
          share: places a batch.
          copy: places parameters.
        """
        images = {name: metric for name, metric in metrics.items() if isinstance(metric, Metric)}
        embeddings = {m.embedding.name: m.embedding for m in metrics.values() if isinstance(m, SetMetric)}
        self._metrics, self._embeddings, self._place = images, embeddings, share
        self._parameters = copy({name: metric.parameters for name, metric in images.items()})
        self._weights = copy({name: embedding.parameters for name, embedding in embeddings.items()})
        self._score = jax.jit(
            lambda given, *pair: {name: metric.measure(given[name], *pair) for name, metric in images.items()}
        )
        self._embed = jax.jit(
            lambda given, image: {name: one.embed(given[name], image) for name, one in embeddings.items()}
        )

    @property
    def has_embeddings(self) -> bool:
        """Whether there are metrics of sets."""
        return bool(self._embeddings)

    def scores(self, images: np.ndarray, photographs: np.ndarray, holes: np.ndarray) -> Mapping[str, np.ndarray]:
        """uint8 [B,S,S,3], uint8 [B,S,S,3], bool [B,S,S] -> by metric, float32 [B]."""
        if not self._metrics:
            return {}
        known = 1 - holes[..., None].astype(np.float32)  # [B,S,S,1]
        return jax.device_get(
            self._score(self._parameters, *self._place((to_float(images), to_float(photographs), known)))
        )

    def vectors(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """uint8 [B,S,S,3] -> by embedding, float32 [B,D]."""
        if not self._embeddings:
            return {}
        return jax.device_get(self._embed(self._weights, self._place(to_float(images))))


@dataclasses.dataclass(frozen=True)
class VectorsOnly:
    """A judge that leaves the scores out."""

    judge: Judge

    def scores(self, images: np.ndarray, photographs: np.ndarray, holes: np.ndarray) -> Mapping[str, np.ndarray]:
        """None."""
        del images, photographs, holes
        return {}

    def vectors(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Those of the judge."""
        return self.judge.vectors(images)


@dataclasses.dataclass(frozen=True)
class Devices:
    """Those of this process; processes share the work in whole batches.

    Attributes:
      count: of devices.
      share: places a tree of arrays, the batch in front divided among the devices.
      copy: places a tree of arrays on each.
    """

    count: int
    share: Callable[[Any], Any]
    copy: Callable[[Any], Any]

    def whole(self, batch_size: int) -> int:
        """The least batch, not below `batch_size`, that divides among the devices."""
        return -(-batch_size // self.count) * self.count


def local_devices() -> Devices:
    """All of this process."""
    devices = jax.local_devices()
    mesh = Mesh(np.array(devices), ("data",))
    shared, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    return Devices(len(devices), lambda tree: jax.device_put(tree, shared), lambda tree: jax.device_put(tree, whole))
