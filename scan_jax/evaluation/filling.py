"""The ways to fill the holes of a test, a batch at a time: by a network, or by what completes one photograph."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

from scan_jax.core.errors import UserError

COMPLETION, PREDICTION = "completion", "prediction"
Labels = np.ndarray | None  # None where the photographs have none


@dataclasses.dataclass(frozen=True)
class Row:
    """One photograph, by its index, with its hole of one bucket."""

    bucket: str
    index: int

    def __str__(self) -> str:
        return f"photograph {self.index} with its hole of {self.bucket}"


@dataclasses.dataclass(frozen=True)
class Batch:
    """Photographs with one hole each.

    Attributes:
      photographs: uint8 [B,S,S,3].
      holes: bool [B,S,S].
      labels: int32 [B,S,S], or None.
      rows: which ones these are, up to B; the images after them repeat the last, so that every batch has one shape.
    """

    photographs: np.ndarray
    holes: np.ndarray
    labels: Labels
    rows: tuple[Row, ...]


# (image float32 [B,S,S,3] in [0, 1], known float32 [B,S,S,1], labels int32 [B,S,S]) -> prediction [B,S,S,3] in [0, 1].
# The arrays lie on the host; placing them on devices is the function's own business.
Predict = Callable[[np.ndarray, np.ndarray, Labels], jax.Array | np.ndarray]
Pictures = Mapping[str, np.ndarray]  # COMPLETION and maybe PREDICTION: uint8 [B,S,S,3]
Fill = Callable[[Batch], Pictures]
# one photograph: uint8 [S,S,3], bool [S,S], int32 [S,S] or None -> completion uint8 [S,S,3]
FillOne = Callable[[np.ndarray, np.ndarray, Labels], np.ndarray]


def by_network(predict: Predict) -> Fill:
    """Completion: the prediction rounded to 8 bits in the hole, the photograph's own bytes elsewhere; and all of it."""

    def fill(batch: Batch) -> Pictures:
        known = 1.0 - batch.holes[..., None].astype(np.float32)  # [B,S,S,1]
        visible = to_float(batch.photographs) * known  # [B,S,S,3]
        prediction = np.asarray(jax.device_get(predict(visible, known, batch.labels)), np.float32)  # [B,S,S,3]
        _refuse_nonsense(prediction, batch.rows)
        return complete(batch, np.round(255.0 * np.clip(prediction, 0.0, 1.0)).astype(np.uint8))

    return fill


def by_baseline(baseline: FillOne) -> Fill:
    """`baseline`, which completes one photograph, over a batch and on all cores."""

    def fill(batch: Batch) -> Pictures:
        count = len(batch.rows)
        labels = [None] * count if batch.labels is None else batch.labels[:count]
        with ThreadPoolExecutor() as pool:
            filled = list(pool.map(baseline, batch.photographs[:count], batch.holes[:count], labels))
        return {COMPLETION: pad(filled, len(batch.holes))}  # [B,S,S,3]

    return fill


def complete(batch: Batch, prediction: np.ndarray) -> Pictures:
    """Of a raw prediction uint8 [B,S,S,3]: what is measured, and itself."""
    completion = np.where(batch.holes[..., None], prediction, batch.photographs)
    return {COMPLETION: completion, PREDICTION: prediction}


def pad(images: list[np.ndarray], count: int) -> np.ndarray:
    """A stack of `count`; the last is repeated."""
    return np.stack(images + images[-1:] * (count - len(images)))


def to_float(image: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)


def _refuse_nonsense(prediction: np.ndarray, rows: tuple[Row, ...]) -> None:
    """NaN would turn black without a word."""
    finite = np.isfinite(prediction).all((1, 2, 3))[: len(rows)]  # [n]
    bad = [str(row) for row, fine in zip(rows, finite) if not fine]
    if bad:
        raise UserError(
            f"the network predicts pixels that are not finite for {', '.join(bad[:3])}"
            + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
            + "; train it anew or take an earlier checkpoint"
        )
