"""How well a linear classifier tells filled images from photographs: U-IDS and P-IDS (Zhao et al. 2021, section 4)."""

from __future__ import annotations

import warnings

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.metrics.vectors import check_vectors


def unpaired_score(photographs: np.ndarray, filled: np.ndarray) -> float:
    """U-IDS: % of all vectors that a linear SVM fitted to them puts on the wrong side; 50 is indistinguishable.

    Args:
      photographs: float64 [N,D].
      filled: float64 [N,D].

    Raises:
      ValueError: the sets are unequal in shape, smaller than 2, or not finite.
      UserError: scikit-learn is not installed.
    """
    real, fake = _decisions(photographs, filled)
    wrong = np.count_nonzero(real <= 0) + np.count_nonzero(fake > 0)  # 0 itself is given to the fakes
    return 100.0 * wrong / (2 * len(real))


def paired_score(photographs: np.ndarray, filled: np.ndarray) -> float:
    """P-IDS: % of filled images that the same SVM holds for more real than their own photograph.

    Args:
      photographs: float64 [N,D].
      filled: float64 [N,D], in the same order.

    Raises:
      ValueError: the sets are unequal in shape, smaller than 2, or not finite.
      UserError: scikit-learn is not installed.
    """
    real, fake = _decisions(photographs, filled)
    return 100.0 * float(np.mean(fake > real))


def _decisions(photographs: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On which side of the SVM, and how far from it: [N], [N], above 0 for real.

    Squared hinge, C = 1, the primal problem, as the authors' code has it; its solver draws nothing at random.
    """
    check_vectors(photographs, filled)
    try:
        import sklearn.svm  # slow to import, for two metrics only
        from sklearn.exceptions import ConvergenceWarning
    except ImportError as error:
        raise UserError(
            "P-IDS and U-IDS need scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    machine = sklearn.svm.LinearSVC(dual=False)
    targets = np.repeat([1, 0], len(photographs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where it stops after 1000 rounds counts, here as there
        machine.fit(np.concatenate([photographs, filled]), targets)
    return machine.decision_function(photographs), machine.decision_function(filled)
