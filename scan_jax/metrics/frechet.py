"""The Fréchet distance between two normal distributions (Dowson & Landau 1982), on which FID rests (Heusel 2017)."""

from __future__ import annotations

import numpy as np

from scan_jax.metrics.vectors import check_vectors


def frechet_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of the sets' means and covariances (divided by N - 1).

    With C = A^T A and C' = B^T B, the trace of the root is the sum of the singular values of A B^T. So no root of a
    matrix is taken, which for fewer vectors than dimensions is singular and costs others their digits.

    Args:
      photographs: float64 [N,D].
      filled: float64 [N,D].

    Returns:
      0 or more.

    Raises:
      ValueError: the sets are unequal in shape, smaller than 2, or not finite.
    """
    check_vectors(photographs, filled)
    first, second = _root(photographs), _root(filled)
    offset = photographs.mean(axis=0) - filled.mean(axis=0)  # [D]
    overlap = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = offset @ offset + np.square(first).sum() + np.square(second).sum() - 2.0 * overlap
    return max(float(distance), 0.0)  # rounding may put equal sets below


def _root(vectors: np.ndarray) -> np.ndarray:
    """A with A^T A = the covariance: [N,D] -> [min(N,D),D]."""
    centred = (vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors) - 1)
    return centred if len(centred) <= centred.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))
