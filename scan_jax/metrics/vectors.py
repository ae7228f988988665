"""What every metric of whole sets asks of its vectors, in one place."""

from __future__ import annotations

import numpy as np


def check_vectors(photographs: np.ndarray, filled: np.ndarray) -> None:
    """Refuses anything but two equal sets of at least two finite vectors.

    Args:
      photographs: [N,D].
      filled: [N,D].

    Raises:
      ValueError: another rank, unequal shapes, fewer than two vectors, or a NaN or an infinity among them.
    """
    if photographs.ndim != 2 or photographs.shape != filled.shape or len(photographs) < 2:
        raise ValueError(f"two equal sets [N,D] of 2 or more vectors are needed: {photographs.shape}, {filled.shape}")
    if not (np.isfinite(photographs).all() and np.isfinite(filled).all()):
        raise ValueError("vectors must be finite")
