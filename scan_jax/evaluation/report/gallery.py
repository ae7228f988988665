"""Best, median and worst cases: which they are, and their input, completions, error, truth and where pixels look."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from scan_jax.evaluation.benchmark import Batch, Benchmark, Row
from scan_jax.evaluation.entries import Fill, Pictures
from scan_jax.evaluation.report.scores import heading
from scan_jax.evaluation.results import COMPLETION, Case, EntryResult, Rank, Results, Scores
from scan_jax.evaluation.run_pictures import LOOKING, choose_points, overlay
from scan_jax.evaluation.scoring import ScoreStore
from scan_jax.evaluation.statistics import printed
from scan_jax.images.contact_sheet import tint_hole
from scan_jax.inference.engine import Engine

EXACT_SIDE = 128  # pixels; up to it pictures are stored as they are, larger ones as JPEG
JPEG_QUALITY = 92
AMPLIFIED = 4  # times: how the error is shown


def show_cases(results: Results, score: str) -> dict[str, Any]:
    """The pictures of an evaluation, with the metric `score`, a full name, under each completion.

    "buckets": their cases, best first, each with its pictures as data URIs. "score": title of the metric under them.
    "side": of the pictures in pixels; small ones are enlarged without smoothing. "note": how they are stored.
    """
    side = max((case.truth.shape[0] for case in results.cases), default=0)
    buckets = {}
    for place, bucket in enumerate(results.buckets):
        cases = sorted((case for case in results.cases if case.bucket == bucket), key=lambda case: case.rank)
        if cases:  # "best", "median" and "worst" are in the order of the alphabet, too
            buckets[bucket] = tuple(_show(results, case, score, f"{place}-{k}") for k, case in enumerate(cases))
    stored = f"Stored here as JPEG of quality {JPEG_QUALITY}; scores are of the exact pixels."
    title = heading(results.metrics[score]) if score in results.metrics else ""
    return {"buckets": buckets, "score": title, "side": side, "note": "" if side <= EXACT_SIDE else stored}


def data_uri(picture: np.ndarray) -> str:
    """uint8 [H,W,3] as an image within the page; ValueError for another rank or type."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"uint8 [H,W,3] is needed, not {picture.dtype} {picture.shape}")
    buffer = io.BytesIO()
    lossy: dict[str, Any] = {"format": "jpeg", "quality": JPEG_QUALITY, "subsampling": 0}
    options = {"format": "png", "optimize": True} if max(picture.shape[:2]) <= EXACT_SIDE else lossy
    Image.fromarray(picture).save(buffer, **options)
    return f"data:image/{options['format']};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def amplified_error(completion: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """AMPLIFIED |completion - truth|, cut at 255; uint8 [H,W,3] -> uint8 [H,W,3], black where they are equal."""
    if completion.shape != truth.shape:
        raise ValueError(f"pictures of one shape are needed, not {completion.shape} and {truth.shape}")
    return np.minimum(AMPLIFIED * np.abs(completion.astype(np.int32) - truth.astype(np.int32)), 255).astype(np.uint8)


def _show(results: Results, case: Case, score: str, key: str) -> dict[str, Any]:
    """All pictures of one case, in the order in which they are compared."""
    what = f"photograph {case.index}, {case.bucket} hole"
    known = case.known.astype(np.float32)  # [S,S,1]
    seen = tint_hole(case.truth.astype(np.float32) / 255, known)  # [S,S,3]
    found: list[tuple[str, str, np.ndarray, str]] = [
        ("input", "", np.round(255 * seen).astype(np.uint8), f"Input: {what}, the hole in pink")
    ]
    picture_of = case.completions
    filled = [entry for entry in results.entries if entry.name in picture_of]
    for entry in filled:
        value = _score(results, entry, case, score)
        found.append((entry.name, value, picture_of[entry.name], f"Filled by {entry.name}: {what}"))
    found.append(("truth", "", case.truth, f"The photograph itself: {what}"))
    for entry in filled[:1]:
        error, title = amplified_error(picture_of[entry.name], case.truth), f"error of {entry.name}, {AMPLIFIED} times"
        found.append((title, "", error, f"Absolute error of {entry.name}: {what}"))
    found += [(title, "", look, f"{title}: {what}") for title, look in case.looks.items()]
    pictures = [
        {"key": f"picture-{key}-{k}", "title": title, "score": value, "data": data_uri(picture), "alt": alt}
        for k, (title, value, picture, alt) in enumerate(found)
    ]
    return {"key": f"case-{key}", "title": f"{case.rank.capitalize()}: photograph {case.index}", "pictures": pictures}


def _score(results: Results, entry: EntryResult, case: Case, name: str) -> str:
    values = entry.values(case.bucket, name)
    if values is None or case.index >= len(values):
        return ""
    metric, value = results.metrics[name], float(values[case.index])
    return f"{printed(value, metric) if np.isfinite(value) else 'infinite'} {metric.unit}".strip()


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


def make_cases(
    choices: Sequence[Choice], benchmark: Benchmark, fills: Mapping[str, Fill], engine: Engine | None
) -> list[Case]:
    """Fills the chosen holes again, by everyone in `fills`, by name.

    The attention of `engine`, the first entry's network, is shown where it has some; None is no network.
    """
    cases = []
    for first in range(0, len(choices), benchmark.batch_size):
        some = choices[first : first + benchmark.batch_size]
        batch = benchmark.batch([choice.row for choice in some])
        filled = {name: fill(batch)[COMPLETION] for name, fill in fills.items()}  # uint8 [B,S,S,3]
        looks = _looks(engine, batch) if engine and engine.method.maps else {}
        for i, (row, rank) in enumerate(some):
            completions = {name: images[i] for name, images in filled.items()}
            own_looks = {name: images[i] for name, images in looks.items()}
            pixels = batch.known[i], batch.photographs[i], completions, own_looks
            cases.append(Case(row.bucket, row.index, rank, *pixels))
    return cases


def _looks(engine: Engine, batch: Batch) -> dict[str, np.ndarray]:
    """What pixels of each hole attend to: by title, uint8 [B,S,S,3]."""
    seen = batch.observe()
    seen = seen if engine.method.num_labels else dataclasses.replace(seen, labels=None)
    points = np.stack([choose_points(one, LOOKING) for one in batch.known]).astype(np.int32)  # [B,P,2]
    maps = engine.look(seen, points)  # each [B,P,S,S]
    visible = np.asarray(seen.image)  # [B,S,S,3]
    looks = {}
    for name, weights in maps.items():
        for p in range(LOOKING):
            shown = [overlay(*each) for each in zip(visible, weights[:, p], points[:, p])]  # [S,S,3] in [0, 1]
            looks[f"{name} {p + 1}"] = np.round(255 * np.stack(shown)).astype(np.uint8)
    return looks
