"""Looks for mistakes in another program's results: known pixels, which it was given, tell them from poor filling."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from scan_jax.evaluation.benchmark import Benchmark, Row

log = logging.getLogger(__name__)
MOST = 100  # predictions that are looked at, evenly spaced
# Mean absolute differences of known pixels, of 255: below the first nothing is looked for (JPEG); above the second it
# is another picture even where no cause is found.
LEAST, FOREIGN = 1.0, 32.0
FITS = 0.5  # a cause explains a difference if it leaves less than this share of it
MARGIN = 2  # pixels by which a shift is looked for
THUMB = 16  # pixels a side, for finding a picture among all
CAUSES = {
    "names": "shows another photograph or hole of the test, {}: are names exchanged?",
    "channels": "has red and blue exchanged: write RGB (OpenCV has BGR)",
    "shift": "is shifted by {}: look for a crop or padding that is off",
    "flip": "is {}: write it as the test's image lies",
    "resize": "is blurred as if it had been made at a {} of the size and enlarged: fill at the size of the images",
    "range": "has values as if {}: write 0 to 255",
    "foreign": "has other known pixels than its photograph ({} of 255 off on average): is it of another test?",
}


def warn_of_mistakes(files: Mapping[Row, Path], benchmark: Benchmark, read: Callable[[Row], np.ndarray]) -> None:
    """Warns once for each cause that is found, naming the first file and how many there are.

    A prediction with one colour in all known pixels (some programs paint the hole alone) says nothing.

    Args:
      files: of the predictions.
      benchmark: the test that they are of.
      read: gives a row's prediction, uint8 [S,S,3].
    """
    rows = list(files)
    some = [rows[i * len(rows) // MOST] for i in range(MOST)] if len(rows) > MOST else rows
    others = _Others(benchmark)
    found: dict[str, list[str]] = {}
    for row in some:
        if mistake := find_mistake(read(row), row, benchmark, others):
            cause, detail = mistake
            found.setdefault(cause, []).append(f"{files[row]} {CAUSES[cause].format(detail)}")
    for lines in found.values():
        log.warning("%s (%d of the %d predictions that were looked at)", lines[0], len(lines), len(some))


def find_mistake(prediction: np.ndarray, row: Row, benchmark: Benchmark, others: _Others) -> tuple[str, str] | None:
    """A key of `CAUSES` and what to put in, or None where nothing is wrong or nothing can be said."""
    photograph = benchmark.photographs[row.index]["image"]  # [S,S,3]
    known = ~hole_of(benchmark, row)  # [S,S]
    if prediction.max() <= 1 < photograph.max():
        return "range", "they were from 0 to 1"
    if not known.any() or np.ptp(prediction[known], axis=0).max() == 0:
        return None
    before = difference(prediction, photograph, known)
    if before < LEAST:
        return None
    candidates = itertools.chain(
        ((cause, detail, difference(p, t, known)) for cause, detail, p, t in _changes(prediction, photograph)),
        others.compare(prediction, row),
    )
    cause, detail, after = min(candidates, key=lambda one: one[2])
    if after < FITS * before:
        return cause, detail
    return ("foreign", f"{before:.0f}") if before > FOREIGN else None


def hole_of(benchmark: Benchmark, row: Row) -> np.ndarray:
    """The hole that a row's photograph meets, bool [S,S]."""
    holes = benchmark.holes[row.bucket]
    return holes[row.index % len(holes)]


def difference(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> float:
    """Mean absolute difference of [S,S,3] and [S,S,3] where known [S,S], away from the border; infinite without any."""
    inside = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    where = known[inside]
    return float(np.abs(a[inside][where].astype(np.float32) - b[inside][where]).mean()) if where.any() else np.inf


def _changes(prediction: np.ndarray, photograph: np.ndarray) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Cause, detail, and both pictures as they would be alike if that were it."""
    yield "channels", "", prediction[..., ::-1], photograph
    for down, right in itertools.product(range(-MARGIN, MARGIN + 1), repeat=2):
        if down or right:
            places = f"{abs(down)} pixels {'down' if down > 0 else 'up'}" if down else ""
            aside = f"{abs(right)} pixels {'right' if right > 0 else 'left'}" if right else ""
            told = " and ".join(filter(None, (places, aside))).replace("1 pixels", "1 pixel")
            yield "shift", told, np.roll(prediction, (-down, -right), (0, 1)), photograph
    yield "flip", "mirrored", prediction[:, ::-1], photograph
    yield "flip", "upside down", prediction[::-1], photograph
    yield "flip", "transposed", prediction.swapaxes(0, 1), photograph
    values, (height, width) = photograph.astype(np.float32), photograph.shape[:2]
    for share, word in ((2, "half"), (4, "quarter")):
        small = cv2.resize(photograph, (width // share, height // share), interpolation=cv2.INTER_AREA)
        for way in (cv2.INTER_LINEAR, cv2.INTER_CUBIC):
            yield "resize", word, prediction, cv2.resize(small, (width, height), interpolation=way)
    yield "range", "-1 to 1 had been taken for 0 to 1", prediction, np.clip(2 * values - 255, 0, 255)
    yield "range", "0 to 1 had been taken for -1 to 1", prediction, values / 2 + 127.5
    yield "range", "black and white were exchanged", prediction, 255 - values


class _Others:
    """The test's other photographs and holes, of which a prediction may be in truth."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._thumbs: np.ndarray | None = None

    def compare(self, prediction: np.ndarray, row: Row) -> Iterator[tuple[str, str, float]]:
        """Cause, detail and difference: for the same photograph's other holes, and for the photograph most alike."""
        test = self._benchmark
        photograph = test.photographs[row.index]["image"]
        for bucket in {one.bucket for one in test.rows()} - {row.bucket}:
            other = Row(bucket, row.index)
            yield "names", _name(other), difference(prediction, photograph, ~hole_of(test, other))
        if self._thumbs is None:
            images = (test.photographs[i]["image"] for i in range(test.count))
            self._thumbs = np.stack([_thumb(image) for image in images])  # [n,T,T,3]
        index = int(np.abs(self._thumbs - _thumb(prediction)).mean((1, 2, 3)).argmin())
        if index != row.index:
            other, image = Row(row.bucket, index), test.photographs[index]["image"]
            yield "names", _name(other), difference(prediction, image, ~hole_of(test, other))


def _thumb(image: np.ndarray) -> np.ndarray:
    """float32 [T,T,3]."""
    return cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)


def _name(row: Row) -> str:
    return f"{row.bucket.rstrip('%')}/{row.index:05d}"
