"""Predictions for what has any shapes, in batches of one size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import numpy as np

from scan_jax.core.types import Array

Seen = TypeVar("Seen")  # a tree of arrays [B,...], such as an Observation


def predict_each(seen: Sequence[Seen], predict: Callable[[Seen], Array], batch_size: int) -> list[np.ndarray]:
    """A prediction [h',w',3] for each, in order.

    Those of one shape share batches, and a batch that is not full is filled up with copies: a network's arithmetic may
    differ in the last bits between batch sizes, and no result shall depend on how many others there were.

    Args:
      seen: batches of one, on the host.
      predict: what runs on the device: a batch -> [B,h',w',3].
      batch_size: of every call.
    """
    shapes: defaultdict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    for index, one in enumerate(seen):
        shapes[tuple(leaf.shape for leaf in jax.tree.leaves(one))].append(index)
    found: dict[int, np.ndarray] = {}
    for indices in shapes.values():
        for start in range(0, len(indices), batch_size):
            some = indices[start : start + batch_size]
            full = some + some[-1:] * (batch_size - len(some))
            batch = jax.tree.map(lambda *each: np.concatenate(each), *[seen[k] for k in full])
            found.update(zip(some, np.asarray(predict(batch))))
    return [found[index] for index in range(len(seen))]
