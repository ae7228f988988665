"""The squared maximum mean discrepancy with a cubic kernel, on which KID rests (Binkowski et al. 2018)."""

from __future__ import annotations

import numpy as np

from scan_jax.metrics.vectors import check_vectors

ROWS = 512  # of the kernel matrix at a time


def kernel_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3.

    Over the whole sets at once, without random subsets: of the same expectation as the usual mean over subsets of 1000
    with the least variance, and the same number every time. Pairs of one image with itself are left out within a set,
    not between the sets, as in public implementations; near-identical sets may so come out slightly below 0.

    Args:
      photographs: float64 [N,D].
      filled: float64 [N,D].

    Raises:
      ValueError: the sets are unequal in shape, smaller than 2, or not finite.
    """
    check_vectors(photographs, filled)
    count = len(photographs)
    within = sum(_kernel_sum(x, x) - _diagonal_sum(x) for x in (photographs, filled)) / (count * (count - 1))
    return float(within - 2.0 * _kernel_sum(photographs, filled) / count**2)


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Of the kernel over all pairs: [N,D], [M,D] -> a number."""
    blocks = (first[start : start + ROWS] @ second.T for start in range(0, len(first), ROWS))  # [<=ROWS,M]
    return sum(float(_cubic(block, first.shape[1]).sum()) for block in blocks)


def _diagonal_sum(vectors: np.ndarray) -> float:
    """Of the kernel between each vector and itself: [N,D] -> a number."""
    return float(_cubic(np.einsum("nd,nd->n", vectors, vectors), vectors.shape[1]).sum())


def _cubic(products: np.ndarray, dimensions: int) -> np.ndarray:
    """The kernel from scalar products, of any shape."""
    return (products / dimensions + 1.0) ** 3
