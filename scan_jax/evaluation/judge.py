"""All metrics of an evaluation, computed together: one compiled function for scores, one for the vectors of sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scan_jax.evaluation.filling import to_float
from scan_jax.metrics.api import AnyMetric, Metric, SetMetric

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
