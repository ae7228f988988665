"""Looks for mistakes in another program's results: known pixels, which it was given, tell them from poor filling."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from scan_jax.core.split_folders import evenly_spaced
from scan_jax.evaluation.benchmark import Benchmark, Row

log = logging.getLogger(__name__)
MOST = 100  # predictions that are looked at, evenly spaced
# Mean absolute differences of known pixels, of 255: below the first nothing is looked for (JPEG); above the second it
# is another picture even where no cause is found.
LEAST, FOREIGN = 1.0, 32.0
FITS = 0.5  # a cause explains a difference if it leaves less than this share of it
MARGIN = 2  # pixels by which a shift is looked for
THUMB = 16  # pixels a side, for finding a picture among all
NAMES = "shows another photograph or hole of the test (are names exchanged?): "
CHANNELS = "has red and blue exchanged (write RGB; OpenCV has BGR)"
SHIFT = "is shifted (look for a crop or padding that is off), in pixels down and right: "
RESIZE = "is blurred as if it had been made smaller and enlarged (fill at the size of the images)"
RANGE = "has values of another range (write 0 to 255)"
UNKNOWN = "has other known pixels than its photograph (is it of another test?), of 255 off on average: "


def warn_of_mistakes(files: Mapping[Row, Path], benchmark: Benchmark, read: Callable[[Row], np.ndarray]) -> None:
    """Warns once for each cause that is found, naming the first file and how many there are.

    `files` are the predictions of `benchmark`, and `read` gives a row's, uint8 [S,S,3]. One that has a single colour in
    all known pixels (some programs paint the hole alone) says nothing.
    """
    rows, found = evenly_spaced(list(files), MOST), dict[str, list[str]]()

    @functools.cache
    def thumbs() -> np.ndarray:
        return np.stack([_thumb(benchmark.photographs[index]["image"]) for index in range(benchmark.count)])

    for row in rows:
        cause, detail = find_mistake(read(row), row, benchmark, thumbs)
        found.setdefault(cause, []).append(f"{files[row]} {cause}{detail}")
    found.pop("", None)
    for lines in found.values():
        log.warning("%s (%d of the %d predictions that were looked at)", lines[0], len(lines), len(rows))


def find_mistake(
    prediction: np.ndarray, row: Row, benchmark: Benchmark, thumbs: Callable[[], np.ndarray]
) -> tuple[str, str]:
    """The cause and a detail, which follows it; empty where nothing is wrong, or nothing can be said.

    `thumbs` gives all photographs of the test as float32 [n,T,T,3].
    """
    photograph, known = benchmark.photographs[row.index]["image"], ~hole_of(benchmark, row)  # [S,S,3], [S,S]
    if prediction.max() <= 1 < photograph.max():
        return RANGE, ""
    if not known.any() or np.ptp(prediction[known], axis=0).max() == 0:
        return "", ""
    if (before := _difference(prediction, photograph, known)) < LEAST:
        return "", ""
    found = [(cause, told, _difference(p, t, known)) for cause, told, p, t in _changes(prediction, photograph)]
    alike = int(np.abs(thumbs() - _thumb(prediction)).mean((1, 2, 3)).argmin())
    for other in ({Row(one.bucket, row.index) for one in benchmark.rows()} | {Row(row.bucket, alike)}) - {row}:
        image = benchmark.photographs[other.index]["image"]
        name = f"{other.bucket.rstrip('%')}/{other.index:05d}"
        found.append((NAMES, name, _difference(prediction, image, ~hole_of(benchmark, other))))
    cause, detail, after = min(found, key=lambda one: one[2])
    if after < FITS * before:
        return cause, detail
    return (UNKNOWN, f"{before:.0f}") if before > FOREIGN else ("", "")


def hole_of(benchmark: Benchmark, row: Row) -> np.ndarray:
    """The hole that a row's photograph meets, bool [S,S]."""
    holes = benchmark.holes[row.bucket]
    return holes[row.index % len(holes)]


def _difference(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> float:
    """Mean absolute difference of [S,S,3] and [S,S,3] where known [S,S], away from the border; infinite without any."""
    inside = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    where = known[inside]
    return float(np.abs(a[inside][where].astype(np.float32) - b[inside][where]).mean()) if where.any() else np.inf


def _changes(prediction: np.ndarray, photograph: np.ndarray) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Cause, detail, and both pictures as they would be alike if that were it."""
    yield CHANNELS, "", prediction[..., ::-1], photograph
    for down, right in itertools.product(range(-MARGIN, MARGIN + 1), repeat=2):
        if down or right:
            yield SHIFT, f"{down}, {right}", np.roll(prediction, (-down, -right), (0, 1)), photograph
    values, (height, width) = photograph.astype(np.float32), photograph.shape[:2]
    for share, way in itertools.product((2, 4), (cv2.INTER_LINEAR, cv2.INTER_CUBIC)):
        small = cv2.resize(photograph, (width // share, height // share), interpolation=cv2.INTER_AREA)
        yield RESIZE, "", prediction, cv2.resize(small, (width, height), interpolation=way)
    for other in (np.clip(2 * values - 255, 0, 255), values / 2 + 127.5, 255 - values):  # -1 to 1 for 0 to 1, ...
        yield RANGE, "", prediction, other


def _thumb(image: np.ndarray) -> np.ndarray:
    """float32 [T,T,3]."""
    return cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
