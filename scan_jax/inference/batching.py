"""Predictions for canvases of any shapes, in batches of one size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import jax
import numpy as np

from scan_jax.inference.canvas import Canvas
from scan_jax.types import Array, Observation

Predict = Callable[[Observation], Array]  # a batch -> [B,h',w',3]


def predict_each(canvases: Sequence[Canvas], predict: Predict, batch_size: int) -> list[np.ndarray]:
    """A prediction [h',w',3] for each canvas, in order.

    Those of one shape share batches, and a batch that is not full is filled up with copies: a network's arithmetic may
    differ in the last bits between batch sizes, and no result shall depend on how many others there were.

    Args:
      canvases: at their working sizes, padded.
      predict: what runs on the device.
      batch_size: of every call.
    """
    shapes: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, canvas in enumerate(canvases):
        shapes[canvas.observation.image.shape].append(index)
    found: dict[int, np.ndarray] = {}
    for indices in shapes.values():
        for start in range(0, len(indices), batch_size):
            some = indices[start : start + batch_size]
            full = some + some[-1:] * (batch_size - len(some))
            seen = jax.tree.map(lambda *each: np.concatenate(each), *[canvases[k].observation for k in full])
            found.update(zip(some, np.asarray(predict(seen))))
    return [found[index] for index in range(len(canvases))]
