"""Fills photograph after photograph: one that cannot be filled is named with its reason, and the others go on."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.inference.files.hole import HoleColor
from scan_jax.inference.files.photograph import write_photograph
from scan_jax.inference.filling.notes import Notes
from scan_jax.inference.filling.pairs import Pair
from scan_jax.inference.filling.summary import Outcome, Summary
from scan_jax.inference.request import Request


class Fills(Protocol):
    """What `filler.Filler` does."""

    def several(self, requests: Sequence[Request]) -> list[np.ndarray]:
        """The filled photographs, uint8 [H,W,3] each."""

    def strategy(self, request: Request) -> str:
        """What is looked at."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A photograph to fill.

    Attributes:
      pair: it, its hole and its label map.
      output: where to write it.
    """

    pair: Pair
    output: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read, and which are passed over.

    Attributes:
      hole_color: what holes are painted with.
      resize_labels: whether label maps of another size are brought to the photograph's.
      keep_existing: whether photographs whose output exists are passed over.
    """

    hole_color: HoleColor = "white"
    resize_labels: bool = False
    keep_existing: bool = False

    def open(self, pair: Pair) -> Request:
        """Reads the files of one photograph.

        Raises:
          UserError: one cannot be read, or they differ in size.
        """
        return Request.open(pair.photograph, pair.hole, pair.labels, self.hole_color, self.resize_labels)


def fill_all(jobs: Sequence[Job], filler: Fills, reading: Reading, summary: Summary, batch_size: int = 1) -> None:
    """Fills all of them with a progress bar, and notes in `summary` what became of each as soon as it is known.

    Args:
      jobs: in this order.
      filler: fills `batch_size` photographs at a time.
      reading: how files are read.
      summary: to add to; it is right at any time, so it can be written when the run is interrupted.
      batch_size: how many photographs are in memory at a time.
    """
    began = time.perf_counter()
    bar = progress_bar(total=len(jobs), unit="photograph", leave=False)
    with bar, Notes(lambda line: tqdm.write(line, file=sys.stderr)) as notes:
        for group in _groups(jobs, batch_size):
            outcomes = [Outcome.of(job.pair, job.output) for job in group]
            try:
                _fill_group(list(zip(group, outcomes)), filler, reading, notes)
            finally:  # also where the run is interrupted
                summary.outcomes += [outcome for outcome in outcomes if outcome.status != "waiting"]
                summary.seconds = time.perf_counter() - began
            bar.update(len(group))


def _groups(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    rest = iter(jobs)
    while group := list(itertools.islice(rest, size)):
        yield group


def _fill_group(group: Sequence[tuple[Job, Outcome]], filler: Fills, reading: Reading, notes: Notes) -> None:
    """Reads, fills and writes these photographs, and notes what became of each."""
    opened: list[tuple[Job, Outcome, Request]] = []
    for job, outcome in group:
        if reading.keep_existing and job.output.exists():
            outcome.status = "kept"
            continue
        with notes.about(outcome):
            request = reading.open(job.pair)
            outcome.note(request.hole, filler.strategy(request))
            opened.append((job, outcome, request))
    if len(opened) > 1 and _fill_together(opened, filler, notes):
        return
    for job, outcome, request in opened:
        with notes.about(outcome):
            _write(job, outcome, filler.several([request])[0], request)


def _fill_together(opened: Sequence[tuple[Job, Outcome, Request]], filler: Fills, notes: Notes) -> bool:
    """Whether it was possible; if not, each is tried alone, to find which of them is at fault."""
    began = time.perf_counter()
    try:
        filled = filler.several([request for _, _, request in opened])
    except UserError:
        return False
    share = (time.perf_counter() - began) / len(opened)
    for (job, outcome, request), pixels in zip(opened, filled):
        outcome.seconds += share
        with notes.about(outcome):
            _write(job, outcome, pixels, request)
    return True


def _write(job: Job, outcome: Outcome, pixels: np.ndarray, request: Request) -> None:
    write_photograph(job.output, pixels, request.photograph, request.hole)
    outcome.status = "filled"
