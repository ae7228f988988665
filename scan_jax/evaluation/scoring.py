"""Completes held-out photographs and scores each completion; the one way for a network and a baseline alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import jax
import numpy as np
from tqdm import tqdm

from scan_jax.metrics.standard import METRICS

Labels = np.ndarray | None  # None where the photographs have none
# (image float32 [B,S,S,3] in [0, 1], known float32 [B,S,S,1], labels int32 [B,S,S]) -> prediction [B,S,S,3] in [0, 1].
# The arrays lie on the host; placing them on devices is the function's own business.
Predict = Callable[[np.ndarray, np.ndarray, Labels], jax.Array | np.ndarray]
COMPLETION, PREDICTION = "completion", "prediction"
Pictures = Mapping[str, np.ndarray]  # by one of those names: uint8 [B,S,S,3]
# (photographs uint8 [B,S,S,3], holes bool [B,S,S], labels int32 [B,S,S]) -> completions, maybe raw predictions
Fill = Callable[[np.ndarray, np.ndarray, Labels], Pictures]
# a baseline's completion of one photograph: uint8 [S,S,3], bool [S,S], int32 [S,S] -> uint8 [S,S,3]
FillOne = Callable[[np.ndarray, np.ndarray, Labels], np.ndarray]
Scores = Mapping[str, Mapping[str, np.ndarray]]  # bucket -> metric -> one value for each photograph


class Photographs(Protocol):
    """What the evaluation asks of held-out photographs."""

    @property
    def name(self) -> str:
        """One line for the report."""
        ...

    @property
    def digest(self) -> str:
        """The same digest, the same photographs in the same order."""
        ...

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
        """`{"image": uint8 [S,S,3]}`, and `"labels": uint8 [S,S]` in all photographs or in none."""
        ...


def by_network(predict: Predict) -> Fill:
    """Completion: the prediction rounded to 8 bits in the hole, the photograph's own bytes elsewhere; and all of it."""

    def fill(photographs: np.ndarray, holes: np.ndarray, labels: Labels) -> Pictures:
        known = 1.0 - holes[..., None].astype(np.float32)  # [B,S,S,1]
        visible = photographs.astype(np.float32) / 255.0 * known  # [B,S,S,3]
        prediction = np.asarray(jax.device_get(predict(visible, known, labels)), np.float32)  # [B,S,S,3]
        rounded = np.round(255.0 * np.clip(prediction, 0.0, 1.0)).astype(np.uint8)
        return {COMPLETION: np.where(holes[..., None], rounded, photographs), PREDICTION: rounded}

    return fill


def by_baseline(baseline: FillOne) -> Fill:
    """`baseline`, which completes one photograph, over a batch and on all cores."""

    def fill(photographs: np.ndarray, holes: np.ndarray, labels: Labels) -> Pictures:
        each: Iterable[Labels] = itertools.repeat(None) if labels is None else labels
        with ThreadPoolExecutor() as pool:
            return {COMPLETION: np.stack(list(pool.map(baseline, photographs, holes, each)))}  # [B,S,S,3]

    return fill


def score(
    fill: Fill, photographs: Photographs, holes: Mapping[str, np.ndarray], count: int, batch_size: int, title: str
) -> Mapping[str, Scores]:
    """Completes photographs 0 .. count-1 once for each bucket, photograph i with hole i mod n, and scores each.

    Args:
      fill: completes a batch; it always sees `batch_size` photographs, and those that pad the last batch do not count.
      photographs: the held-out ones.
      holes: bool [n,S,S] by bucket.
      count: how many photographs.
      batch_size: photographs at a time.
      title: for the progress bar.

    Returns:
      By the pictures' name, bucket and metric, float32 [count].
    """
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    total = -(-count * len(holes) // batch_size)
    batches = _batches(photographs, holes, count, batch_size)
    for truth, hole, labels in tqdm(batches, title, total, unit="batch", leave=False, dynamic_ncols=True):
        for kind, pictures in fill(truth, hole, labels).items():  # uint8 [B,S,S,3]
            pair = jax.device_put((_to_float(pictures), _to_float(truth)))
            values = found.setdefault(kind, {name: [] for name in METRICS})
            for name, metric in METRICS.items():
                values[name].append(jax.device_get(metric(*pair)))  # [B]
    return {kind: _by_bucket(values, list(holes), count) for kind, values in found.items()}


def _by_bucket(values: Mapping[str, list[np.ndarray]], buckets: list[str], count: int) -> Scores:
    """Batches of values, photograph by photograph and each with all buckets in turn, as bucket -> metric -> [count]."""
    pairs = count * len(buckets)
    table = {name: np.concatenate(parts)[:pairs].reshape(count, len(buckets)) for name, parts in values.items()}
    return {label: {name: table[name][:, j] for name in table} for j, label in enumerate(buckets)}


def _batches(
    photographs: Photographs, holes: Mapping[str, np.ndarray], count: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, Labels]]:
    """(uint8 [B,S,S,3], bool [B,S,S], int32 [B,S,S] or None); the last row is repeated until the last batch is full."""
    rows: list[tuple[np.ndarray, np.ndarray, Labels]] = []
    for i in range(count):
        photograph = photographs[i]
        for stack in holes.values():
            rows.append((photograph["image"], stack[i % len(stack)], photograph.get("labels")))
            if len(rows) == batch_size:
                yield _stack(rows)
                rows = []
    if rows:
        yield _stack(rows + rows[-1:] * (batch_size - len(rows)))


def _stack(rows: list[tuple[np.ndarray, np.ndarray, Labels]]) -> tuple[np.ndarray, np.ndarray, Labels]:
    images, holes, labels = zip(*rows)
    classes = None if labels[0] is None else np.stack(labels).astype(np.int32)  # [B,S,S]
    return np.stack(images), np.stack(holes), classes  # [B,S,S,3], [B,S,S]


def _to_float(image: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)
