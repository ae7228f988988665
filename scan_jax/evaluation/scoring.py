"""Completes held-out photographs and scores each: the one way for a network, a baseline and a folder of results."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from jax.experimental import multihost_utils

from scan_jax.core.progress import progress_bar
from scan_jax.core.types import Observation
from scan_jax.evaluation.contact_sheet import choose_points, overlay
from scan_jax.evaluation.filling import COMPLETION, Batch, Fill, Pictures, Row
from scan_jax.evaluation.results import Case, Scores, SetScores
from scan_jax.evaluation.score_store import Part, ScoreStore
from scan_jax.inference.engine import Engine
from scan_jax.metrics.api import SetMetric

if TYPE_CHECKING:
    from scan_jax.evaluation.evaluator import Judge, VectorsOnly  # which imports this module

Vectors = Mapping[str, Mapping[str, np.ndarray]]  # bucket -> embedding -> [n,D]
PART = 128  # rows, about: what an interruption loses at most


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


@dataclasses.dataclass(frozen=True)
class Test:
    """What everybody is measured on: photograph i meets hole i modulo their number, in every bucket.

    Attributes:
      photographs: the held-out ones.
      holes: bool [n,S,S] by bucket; a bucket without any is empty in the result.
      count: how many photographs, from the first.
      batch_size: photographs at a time; the last batch is padded, so that a network is compiled once.
    """

    __test__ = False  # pytest takes the name for one of its own

    photographs: Photographs
    holes: Mapping[str, np.ndarray]
    count: int
    batch_size: int

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of every pixel, class and hole that is measured, read from the test itself."""
        hasher = hashlib.sha256(f"{self.count}\n".encode())
        for index in range(self.count):
            photo = self.photographs[index]
            for name in sorted(photo):
                hasher.update(f"{name} {photo[name].dtype} {photo[name].shape}\n".encode())
                hasher.update(np.ascontiguousarray(photo[name]).tobytes())
        for bucket, holes in self.holes.items():
            hasher.update(f"{bucket} {holes.shape}\n".encode())
            hasher.update(np.packbits(holes).tobytes())
        return hasher.hexdigest()

    def rows(self) -> list[Row]:
        """Photograph by photograph, each with all buckets in turn."""
        filled = [bucket for bucket, holes in self.holes.items() if len(holes)]
        return [Row(bucket, index) for index in range(self.count) for bucket in filled]

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Those rows, at most `batch_size`; the last is repeated."""
        padded = [*rows, *[rows[-1]] * (self.batch_size - len(rows))]
        photos = {index: self.photographs[index] for index in {row.index for row in rows}}
        labels = [photos[row.index]["labels"] for row in padded if "labels" in photos[row.index]]
        holes = [self.holes[row.bucket] for row in padded]
        return Batch(
            np.stack([photos[row.index]["image"] for row in padded]),  # [B,S,S,3]
            np.stack([hole[row.index % len(hole)] for row, hole in zip(padded, holes)]),  # [B,S,S]
            np.stack(labels).astype(np.int32) if labels else None,  # [B,S,S]
            tuple(rows),
        )


@dataclasses.dataclass(frozen=True)
class Share:
    """Which parts of the work are this process'; every process ends with all results.

    Attributes:
      index: of this process.
      count: of processes.
    """

    index: int = 0
    count: int = 1

    def takes(self, part: int) -> bool:
        """Whether this process does part number `part`."""
        return part % self.count == self.index

    def gather(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The sum over all processes, each of which has zeros where others did the work."""
        if self.count == 1:
            return dict(arrays)
        return {name: np.sum(parts, axis=0) for name, parts in multihost_utils.process_allgather(arrays).items()}


@dataclasses.dataclass(frozen=True)
class Found:
    """Of everything that one way to fill holes made of a test.

    Attributes:
      scores: by the pictures' kind, such as "completion".
      vectors: of the completions, for the metrics of whole sets.
      images_per_second: the median over batches, the first of them left out; None where there was only one.
    """

    scores: Mapping[str, Scores]
    vectors: Vectors
    images_per_second: float | None


def score(
    fill: Fill,
    test: Test,
    judge: Judge | VectorsOnly,
    *,
    title: str,
    store: ScoreStore | None = None,
    share: Share = Share(),
) -> Found:
    """Fills every hole of the test and judges each completion, and each raw prediction where there is one.

    Args:
      fill: completes a batch.
      test: the photographs and holes.
      judge: the metrics.
      title: for the progress bar.
      store: keeps what is done, and has what was done before.
      share: of several processes; those with too little to do for all of them do everything each.
    """
    rows, step = test.rows(), test.batch_size * max(1, PART // test.batch_size)
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    share = share if len(parts) >= share.count else Share()
    whole: dict[str, np.ndarray] = {}
    watch = Stopwatch()
    with progress_bar(total=len(rows), desc=title, unit="image", leave=False) as bar:
        for index in filter(share.takes, range(len(parts))):
            compute = functools.partial(_score_part, fill, test, judge, parts[index], watch, bar)
            part = _kept(store, index, compute)
            bar.n = min((index + 1) * step, len(rows))
            bar.refresh()
            for name, values in part.items():
                everything = whole.setdefault(name, np.zeros((len(rows), *values.shape[1:]), values.dtype))
                everything[index * step : index * step + len(values)] = values
    return _sorted(share.gather(whole), rows, list(test.holes))


class Stopwatch:
    """How long filling takes, but for the first batch, which compiles."""

    def __init__(self) -> None:
        """Nothing is compiled yet."""
        self._warm = False

    def fill(self, fill: Fill, batch: Batch) -> tuple[Pictures, float]:
        """The pictures, and seconds; NaN the first time."""
        begun = time.perf_counter()
        pictures = fill(batch)
        seconds = time.perf_counter() - begun
        warm, self._warm = self._warm, True
        return pictures, seconds if warm else np.nan


def _kept(store: ScoreStore | None, index: int, compute: Callable[[], Part]) -> Part:
    """A part from the store, or else computed and kept there."""
    part = store.read(index) if store else None
    if part is None:
        part = compute()
        if store:
            store.write(index, part)
    return part


def _score_part(
    fill: Fill, test: Test, judge: Judge | VectorsOnly, rows: Sequence[Row], watch: Stopwatch, bar: Any
) -> Part:
    """One value or vector for each row: `completion|scores|psnr`, `completion|vectors|inception_v3`, `seconds`."""
    found: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(rows), test.batch_size):
        batch = test.batch(rows[first : first + test.batch_size])
        count = len(batch.rows)
        pictures, seconds = watch.fill(fill, batch)  # uint8 [B,S,S,3]
        found.setdefault("seconds", []).append(np.full(count, seconds / count))
        for kind, images in pictures.items():
            for name, values in judge.scores(images, batch.photographs, batch.holes).items():
                found.setdefault(f"{kind}|scores|{name}", []).append(values[:count])
        for name, vectors in judge.vectors(pictures[COMPLETION]).items():
            found.setdefault(f"{COMPLETION}|vectors|{name}", []).append(vectors[:count])
        bar.update(count)
    return {name: np.concatenate(values) for name, values in found.items()}


def _sorted(whole: Mapping[str, np.ndarray], rows: Sequence[Row], buckets: Sequence[str]) -> Found:
    """By kind, bucket and name; a bucket without holes has arrays of length 0."""
    places = {bucket: [i for i, row in enumerate(rows) if row.bucket == bucket] for bucket in buckets}

    def by_bucket(start: str) -> dict[str, dict[str, np.ndarray]]:
        names = {name: name.removeprefix(start) for name in whole if name.startswith(start)}
        return {bucket: {short: whole[name][at] for name, short in names.items()} for bucket, at in places.items()}

    kinds = dict.fromkeys(name.split("|")[0] for name in whole if "|scores|" in name)
    seconds = whole["seconds"][whole["seconds"] > 0]
    return Found(
        {kind: by_bucket(f"{kind}|scores|") for kind in kinds},
        by_bucket(f"{COMPLETION}|vectors|"),
        float(1 / np.median(seconds)) if len(seconds) else None,
    )


def photograph_vectors(test: Test, judge: Judge, store: ScoreStore | None, share: Share) -> Mapping[str, np.ndarray]:
    """What the embeddings say of the photographs themselves: by name, [count,D]; nothing without metrics of sets."""
    if not judge.has_embeddings:
        return {}
    no_hole = np.zeros((1, *test.photographs[0]["image"].shape[:2]), bool)
    once = dataclasses.replace(test, holes={"photographs": no_hole})
    fill: Fill = lambda batch: {COMPLETION: batch.photographs}  # noqa: E731
    from scan_jax.evaluation.evaluator import VectorsOnly

    found = score(fill, once, VectorsOnly(judge), title="photographs", store=store, share=share)
    return found.vectors["photographs"]


def score_sets(sets: Mapping[str, SetMetric], photographs: Mapping[str, np.ndarray], filled: Vectors) -> SetScores:
    """Of the photographs [n,D] against what was made of them, by embedding; an empty bucket has no values."""
    return {
        bucket: {
            name: float(
                metric.distance(
                    photographs[metric.embedding.name].astype(np.float64),
                    vectors[metric.embedding.name].astype(np.float64),
                )
            )
            for name, metric in sets.items()
            if len(vectors.get(metric.embedding.name, ()))
        }
        for bucket, vectors in filled.items()
    }


LOOKING = 2  # hole pixels whose attention is shown
Rank = Literal["best", "median", "worst"]


class Choice(NamedTuple):
    """One photograph of one bucket, and why it is shown."""

    row: Row
    rank: Rank


def choose(scores: Scores, metric: str) -> list[Choice]:
    """By the first entry's score, higher is better; fewer where a bucket has less than three photographs."""
    chosen = []
    for bucket, found in scores.items():
        order = np.argsort(found[metric], kind="stable")  # worst first
        places: dict[Rank, int] = {"best": len(order) - 1, "median": len(order) // 2, "worst": 0}
        seen: set[int] = set()
        for rank, place in places.items():
            if len(order) and place not in seen:
                chosen.append(Choice(Row(bucket, int(order[place])), rank))
                seen.add(place)
    return chosen


def kept_in(store: ScoreStore, fill: Fill) -> Fill:
    """`fill`, whose completions are kept: a method may take minutes for what is shown."""
    numbers = itertools.count()

    def kept(batch: Batch) -> Pictures:
        index = next(numbers)
        pictures = store.read(index)
        if pictures is None:
            pictures = {COMPLETION: fill(batch)[COMPLETION]}
            store.write(index, pictures)
        return pictures

    return kept


def make_cases(choices: Sequence[Choice], test: Test, fills: Mapping[str, Fill], engine: Engine | None) -> list[Case]:
    """Fills the chosen holes again, by everyone.

    Args:
      choices: what is shown.
      test: the photographs and holes.
      fills: by the entry's name.
      engine: the first entry's network, whose attention is shown where it has some; None for others.
    """
    cases = []
    for first in range(0, len(choices), test.batch_size):
        some = choices[first : first + test.batch_size]
        batch = test.batch([choice.row for choice in some])
        filled = {name: fill(batch)[COMPLETION] for name, fill in fills.items()}  # uint8 [B,S,S,3]
        known = 1 - batch.holes[..., None].astype(np.float32)  # [B,S,S,1]
        looks = _looks(engine, batch.photographs, known, batch.labels) if engine and engine.method.maps else {}
        for i, (row, rank) in enumerate(some):
            completions = {name: images[i] for name, images in filled.items()}
            own_looks = {name: images[i] for name, images in looks.items()}
            cases.append(Case(row.bucket, row.index, rank, known[i], batch.photographs[i], completions, own_looks))
    return cases


def _looks(
    engine: Engine, photographs: np.ndarray, known: np.ndarray, labels: np.ndarray | None
) -> dict[str, np.ndarray]:
    """What pixels of each hole attend to: by title, uint8 [B,S,S,3]."""
    visible = photographs.astype(np.float32) / np.float32(255) * known  # [B,S,S,3]
    points = np.stack([choose_points(one, LOOKING) for one in known]).astype(np.int32)  # [B,P,2]
    arrays = (visible, known, labels if engine.method.num_labels else None)
    maps = engine.look(Observation(*arrays), points)  # type: ignore[arg-type] # each [B,P,S,S]
    return {
        f"{name} {p + 1}": np.stack(
            [np.round(255 * overlay(*seen)).astype(np.uint8) for seen in zip(visible, weights[:, p], points[:, p])]
        )
        for name, weights in maps.items()
        for p in range(LOOKING)
    }
