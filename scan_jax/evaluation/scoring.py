"""Completes held-out photographs and scores each: the one way for a network, a baseline and a folder of results."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import io
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.progress import progress_bar, tells_of_compiling
from scan_jax.evaluation.benchmark import Batch, Benchmark, Row
from scan_jax.evaluation.entries import Entry, Fill, Pictures
from scan_jax.evaluation.results import COMPLETION, PREDICTION, EntryResult, Scores, SetScores
from scan_jax.inference.engine import Place
from scan_jax.metrics.api import AnyMetric, Metric, PooledMetric, SetMetric

log = logging.getLogger(__name__)
Vectors = Mapping[str, Mapping[str, np.ndarray]]  # bucket -> embedding -> [n,D]
Timed = Callable[[Batch], tuple[Pictures, float]]  # the pictures, and seconds
Part = Mapping[str, np.ndarray]  # what was found of some rows, by name; the rows in front
PART = 128  # rows, about: what an interruption loses at most
VERSION = 2  # raised whenever the toolkit's own code would give another score, so that kept ones are not taken for it
CHECKSUM = hashlib.sha256().digest_size  # bytes in front of the arrays


class MetricSuite:
    """Metrics, compiled together: scores of pictures against their photographs."""

    def __init__(
        self, metrics: Mapping[str, AnyMetric], share: Place = jax.device_put, copy: Place = jax.device_put
    ) -> None:
        """Metrics by full name; `share` places a batch, divided among devices or not, `copy` their parameters."""
        self.metrics = metrics
        self._share = share
        images = {name: metric for name, metric in metrics.items() if isinstance(metric, Metric)}
        embeddings = {m.embedding.name: m.embedding for m in metrics.values() if isinstance(m, SetMetric)}
        self._parameters = copy({name: metric.parameters for name, metric in images.items()})
        self._weights = copy({name: one.parameters for name, one in embeddings.items()})

        def score(given: Any, *pictures: Any) -> Any:
            return {name: metric.measure(given[name], *pictures) for name, metric in images.items()}

        def embed(given: Any, image: Any) -> Any:
            return {name: one.embed(given[name], image) for name, one in embeddings.items()}

        self._score = tells_of_compiling("the metrics", jax.jit(score))
        self._embed = tells_of_compiling("the networks of the metrics", jax.jit(embed))

    def depends_on(self, benchmark: Benchmark) -> list[object]:
        """What every score of a benchmark depends on besides who fills its holes."""
        definitions = (f"{name}: {metric.definition}" for name, metric in self.metrics.items())
        return [benchmark.digest, benchmark.conditions.completion, benchmark.batch_size, *definitions]

    def scores(self, images: np.ndarray, photographs: np.ndarray, holes: np.ndarray) -> Mapping[str, np.ndarray]:
        """uint8 [B,S,S,3], uint8 [B,S,S,3], bool [B,S,S] -> by metric, float32 [B]."""
        if not self._parameters:
            return {}
        return jax.device_get(self._score(self._parameters, *self._share((images, photographs, holes))))

    def vectors(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """uint8 [B,S,S,3] -> by embedding, float32 [B,D]."""
        if not self._weights:
            return {}
        return jax.device_get(self._embed(self._weights, self._share(images)))


@dataclasses.dataclass(frozen=True)
class Share:
    """Which parts of the work are this process'; every process ends with all results."""

    index: int = 0  # of this process
    count: int = 1  # of processes

    def gather(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The sum over all processes, each of which has zeros where others did the work."""
        if self.count == 1:
            return dict(arrays)
        return {name: np.sum(parts, axis=0) for name, parts in multihost_utils.process_allgather(arrays).items()}


class Found(NamedTuple):
    """Of everything that one way to fill holes made of a benchmark."""

    scores: Mapping[str, Scores]  # by the pictures' kind, such as "completion"
    vectors: Vectors  # of the completions, for the metrics of whole sets
    images_per_second: float | None  # the median over batches but the first; None where there was only one


def score(
    fill: Fill,
    benchmark: Benchmark,
    suite: MetricSuite,
    *,
    title: str,
    store: ScoreStore | None = None,
    share: Share = Share(),
) -> Found:
    """Fills every hole of the benchmark and scores each completion, and each raw prediction where there is one.

    `title` is the progress bar's; `store` keeps what is done, and has what was done before. Of several processes, those
    with too little to `share` for all of them do everything each.
    """
    rows, step = benchmark.rows(), benchmark.batch_size * max(1, PART // benchmark.batch_size)
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    share = share if len(parts) >= share.count else Share()
    whole: dict[str, np.ndarray] = {}
    timed = _timed(fill)
    with progress_bar(total=len(rows), desc=title, unit="image", leave=False) as bar:
        for index in range(share.index, len(parts), share.count):
            part = store.read(index) if store else None
            if part is None:
                part = _score_part(timed, benchmark, suite, parts[index], bar)
                if store:
                    store.write(index, part)
            bar.n = min((index + 1) * step, len(rows))
            bar.refresh()
            for name, values in part.items():
                everything = whole.setdefault(name, np.zeros((len(rows), *values.shape[1:]), values.dtype))
                everything[index * step : index * step + len(values)] = values
    return _sorted(share.gather(whole), rows, list(benchmark.holes))


def _timed(fill: Fill) -> Timed:
    """`fill` with the seconds that it takes; NaN for the first batch, which compiles."""
    factors = itertools.chain([np.nan], itertools.repeat(1.0))

    def run(batch: Batch) -> tuple[Pictures, float]:
        begun = time.perf_counter()
        pictures = fill(batch)
        return pictures, next(factors) * (time.perf_counter() - begun)

    return run


def _score_part(fill: Timed, benchmark: Benchmark, suite: MetricSuite, rows: Sequence[Row], bar: Any) -> Part:
    """One value or vector for each row: `completion|scores|psnr`, `completion|vectors|inception_v3`, `seconds`."""
    found: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(rows), benchmark.batch_size):
        batch = benchmark.batch(rows[first : first + benchmark.batch_size])
        count = len(batch.rows)
        pictures, seconds = fill(batch)  # uint8 [B,S,S,3]
        found.setdefault("seconds", []).append(np.full(count, seconds / count))
        for kind, images in pictures.items():
            for name, values in suite.scores(images, batch.photographs, batch.holes).items():
                found.setdefault(f"{kind}|scores|{name}", []).append(values[:count])
        for name, vectors in suite.vectors(pictures[COMPLETION]).items():
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


def measure(
    entries: Sequence[Entry], benchmark: Benchmark, suite: MetricSuite, folder: Path, share: Share = Share()
) -> tuple[EntryResult, ...]:
    """Everybody on the same benchmark; scores are kept in `folder`, and computed once."""
    about = suite.depends_on(benchmark)
    truth = photograph_vectors(benchmark, suite, ScoreStore(folder, "photographs", about), share)
    results = []
    for one in entries:
        store = None if one.depends_on is None else ScoreStore(folder, one.key, [*about, *one.depends_on])
        found = score(one.fill, benchmark, suite, title=one.name, store=store, share=share)
        results.append(
            EntryResult(
                name=one.name,
                kind=one.kind,
                details=one.details,
                completion=found.scores[COMPLETION],
                prediction=found.scores.get(PREDICTION, {}),
                sets=score_sets(suite.metrics, truth, found.vectors, found.scores[COMPLETION]),
                images_per_second=None if one.kind == "predictions" else found.images_per_second,
                config=one.config,
                folder=one.folder,
            )
        )
    return tuple(results)


def photograph_vectors(
    benchmark: Benchmark, suite: MetricSuite, store: ScoreStore | None, share: Share
) -> Mapping[str, np.ndarray]:
    """What the embeddings say of the photographs themselves: by name, [count,D]; nothing without metrics of sets."""
    if not suite._weights:
        return {}
    once = dataclasses.replace(benchmark, holes={"photographs": np.zeros((1, benchmark.size, benchmark.size), bool)})
    alone = copy.copy(suite)
    alone._parameters = {}  # no scores
    fill: Fill = lambda batch: {COMPLETION: batch.photographs}  # noqa: E731
    return score(fill, once, alone, title="photographs", store=store, share=share).vectors["photographs"]


def score_sets(
    metrics: Mapping[str, AnyMetric], photographs: Mapping[str, np.ndarray], filled: Vectors, scores: Scores
) -> SetScores:
    """Of the photographs [n,D] against what was made of them, by embedding, and what is pooled from `scores`.

    An empty bucket has no values.
    """

    def distance(metric: SetMetric, vectors: Mapping[str, np.ndarray]) -> float:
        name = metric.embedding.name
        return float(metric.distance(photographs[name].astype(np.float64), vectors[name].astype(np.float64)))

    sets = {name: metric for name, metric in metrics.items() if isinstance(metric, SetMetric)}
    pooled = {name: metric for name, metric in metrics.items() if isinstance(metric, PooledMetric)}
    return {
        bucket: {name: distance(one, vectors) for name, one in sets.items() if len(vectors.get(one.embedding.name, ()))}
        | {
            name: one.pool(scores[bucket][one.of])
            for name, one in pooled.items()
            if len(scores[bucket].get(one.of, ()))
        }
        for bucket, vectors in filled.items()
    }


class ScoreStore:
    """One folder of scores."""

    def __init__(self, folder: Path, name: str, depends_on: Iterable[object]) -> None:
        """In `folder`, by `name`; with any other digest, count or definition the scores are computed anew."""
        key = hashlib.sha256("\n".join(map(str, (VERSION, *depends_on))).encode()).hexdigest()
        self._folder = folder / f"{name}_{key[:12]}"

    def read(self, index: int) -> Part | None:
        """Part `index`, or None where it was not kept or is damaged."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            content = path.read_bytes()
        except OSError as error:
            log.warning("%s cannot be read (%s); computing it anew", path, error)
            return None
        checksum, arrays = content[:CHECKSUM], content[CHECKSUM:]
        if hashlib.sha256(arrays).digest() != checksum:
            log.warning("%s is damaged; computing it anew", path)
            return None
        with np.load(io.BytesIO(arrays), allow_pickle=False) as stored:
            return dict(stored)

    def write(self, index: int, part: Part) -> None:
        """Keeps part `index`; UserError where the folder cannot be written to."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **part)
        arrays = buffer.getvalue()
        write_atomically(self._path(index), hashlib.sha256(arrays).digest() + arrays)

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:05d}.scores"
