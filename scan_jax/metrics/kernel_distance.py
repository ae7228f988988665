"""The squared maximum mean discrepancy with a cubic kernel, on which KID rests (Binkowski et al. 2018)."""

from __future__ import annotations

import numpy as np

from scan_jax.metrics.vectors import check_vectors

ROWS = 512  # of the kernel matrix at a time


def kernel_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3.

    Over the whole sets at once, without random subsets: the same number every time. Pairs of one vector with itself are
    left out within a set; between the sets all pairs count, as in public implementations. That is unbiased for sets
    that were drawn apart (Gretton et al. 2012, lemma 6). Filled images are paired with their photographs, and the N
    pairs i = i, alike as they are, lower the result: identical sets give a negative value, 2 / N times the mean kernel
    between different images minus that of images with themselves. `paired_kernel_distance` leaves those pairs out.

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


def paired_kernel_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3, for vectors that come in pairs.

    The mean of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i) over i != j (Gretton et al. 2012, lemma 6): an
    image meets its own photograph nowhere. Exactly 0 for identical sets.

    Args:
      photographs: float64 [N,D].
      filled: float64 [N,D], in the same order.

    Raises:
      ValueError: the sets are unequal in shape, smaller than 2, or not finite.
    """
    check_vectors(photographs, filled)
    count, width = photographs.shape
    x, y = photographs.T.copy(), filled.T.copy()  # [D,N]; of x @ x.T NumPy would round otherwise than of x @ y.T
    total = 0.0
    for start in range(0, count, ROWS):
        first, second = photographs[start : start + ROWS], filled[start : start + ROWS]  # [R,D]
        within = _cubic(first @ x, width) + _cubic(second @ y, width)  # [R,N]
        excess = within - _cubic(first @ y, width) - _cubic(second @ x, width)
        rows = np.arange(len(first))
        excess[rows, start + rows] = 0.0
        total += float(excess.sum())
    return total / (count * (count - 1))


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
