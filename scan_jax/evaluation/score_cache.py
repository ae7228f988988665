"""Scores that never change, such as a baseline's on a fixed set, kept in a file named after all that they depend on."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from scan_jax.atomic_write import write_atomically
from scan_jax.evaluation.scoring import Scores

log = logging.getLogger(__name__)


def cached(folder: Path, name: str, depends_on: Iterable[object], compute: Callable[[], Scores]) -> Scores:
    """The scores in `folder`, or else those that `compute` gives, which are then kept there.

    Args:
      folder: where the files lie.
      name: of the baseline.
      depends_on: digests, counts and definitions; with any other of them the scores are computed anew.
      compute: does the work.
    """
    key = hashlib.sha256("\n".join(map(str, depends_on)).encode()).hexdigest()
    path = folder / f"{name}_{key[:12]}.npz"
    if path.exists():
        try:
            return _read(path)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s); computing it anew", path, error)
    scores = compute()
    buffer = io.BytesIO()
    flat = {f"{label}|{metric}": values for label, found in scores.items() for metric, values in found.items()}
    np.savez(buffer, allow_pickle=False, **flat)
    write_atomically(path, buffer.getvalue())
    return scores


def _read(path: Path) -> Scores:
    scores: dict[str, dict[str, np.ndarray]] = {}
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
        for name in stored.files:
            label, metric = name.split("|")
            scores.setdefault(label, {})[metric] = stored[name]
    return scores
