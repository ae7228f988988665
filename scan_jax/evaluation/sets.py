"""Metrics of whole sets, bucket by bucket."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scan_jax.evaluation.results import SetScores
from scan_jax.evaluation.scoring import Vectors
from scan_jax.metrics.api import SetMetric


def score_sets(sets: Mapping[str, SetMetric], photographs: Mapping[str, np.ndarray], filled: Vectors) -> SetScores:
    """Of the photographs [n,D] against what was made of them, by embedding; an empty bucket has no values."""
    return {
        bucket: {
            name: float(
                metric.distance(
                    photographs[metric.embedding.name].astype(np.float64),
                    vectors[metric.embedding.name].astype(np.float64),
                )
            )
            for name, metric in sets.items()
            if len(vectors.get(metric.embedding.name, ()))
        }
        for bucket, vectors in filled.items()
    }
