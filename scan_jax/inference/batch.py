"""Fills photograph after photograph: one that cannot be filled is named with its reason, and the others go on."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import jax
import numpy as np
from tqdm import tqdm

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.core.run_layout import first_line
from scan_jax.images import pairs
from scan_jax.images.hole import HoleColor
from scan_jax.images.labels import size_text
from scan_jax.images.pairs import Matched, Pair, match
from scan_jax.images.photograph import check_output, write_photograph
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import Request, interpolate, pick_styles
from scan_jax.inference.windows import Strategy


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


@dataclasses.dataclass(frozen=True)
class Task:
    """Photographs to fill.

    Attributes:
      jobs: each with its output.
      matched: what was found.
      reading: how files are read.
      alone: whether it is one photograph, for which errors are the command's.
    """

    jobs: Sequence[Job]
    matched: Matched
    reading: Reading
    alone: bool

    @classmethod
    def of(cls, flags: argparse.Namespace) -> Task:
        """From the flags of `filling.flags`.

        Raises:
          UserError: files that are missing or do not match, or an output that would be written over an input.
        """
        alone = not flags.photograph.is_dir()
        if alone:
            check_output(flags.out)
            _check_alone(flags)
        leave_out = () if alone else (flags.out,)
        matched = match(flags.photograph, flags.hole, flags.labels, hole_suffix=flags.hole_suffix, leave_out=leave_out)
        folders = (flags.photograph, flags.hole, flags.labels)
        if not alone:
            pairs.check_folder(flags.out, folders)
        outputs = [flags.out] if alone else pairs.in_folder(matched.pairs, flags.out, flags.format)
        read = [path for pair in matched.pairs for path in (pair.photograph, pair.hole, pair.labels)]
        pairs.check_places(outputs, [*read, *_references(flags)])
        reading = Reading(
            hole_color=flags.hole_color, resize_labels=flags.resize_labels, keep_existing=flags.keep_existing
        )
        return cls([Job(*both) for both in zip(matched.pairs, outputs)], matched, reading, alone)

    def check_unmatched(self) -> None:
        """Refuses to pass anything over in silence.

        Raises:
          UserError: it counts and names what does not match.
        """
        if self.matched.unmatched:
            raise UserError(f"{self.matched}; complete them, or pass them over with --allow_unmatched")

    def show(self) -> int:
        """Reads everything and prints what would be done.

        Returns:
          The exit code that filling would end with, as far as it can be known.
        """
        failed = 0
        for job in self.jobs:
            try:
                print(self._describe(job))
            except UserError as error:
                failed += 1
                print(f"{job.pair.name}: cannot be filled: {error}")
        print(f"{self.matched}; {failed} cannot be filled; nothing was written")
        sys.stdout.flush()
        if not failed:
            return 0
        return ALL_FAILED if failed == len(self.jobs) else SOME_FAILED

    def _describe(self, job: Job) -> str:
        """One line.

        Raises:
          UserError: a file cannot be read, or sizes differ.
        """
        pair = job.pair
        if self.reading.keep_existing and job.output.exists():
            return f"{pair.name} -> {job.output} is there and is kept"
        request = self.reading.open(pair)
        with_labels = f", labels {pair.labels}" if pair.labels else ""
        share = f"{100 * request.hole.mean():.1f}%"
        return f"{pair.name} {size_text(request.hole.shape)}, hole {pair.hole} {share}{with_labels} -> {job.output}"


def _check_alone(flags: argparse.Namespace) -> None:
    """Refuses what only makes sense for folders.

    Raises:
      UserError: it names the flag.
    """
    if flags.format:
        raise UserError("--format is for folders; for one photograph, the name of --out says it")
    if flags.batch_size > 1:
        raise UserError("--batch_size is for folders; one photograph is filled alone")


def _references(flags: argparse.Namespace) -> list[Path | None]:
    return [flags.style_from, flags.style_labels]


log = logging.getLogger(__name__)


def read_wishes(flags: argparse.Namespace) -> Wishes:
    """What the flags of `filling.flags` say about filling.

    Raises:
      UserError: they contradict each other, or the summary's name is not that of a JSON file.
    """
    wishes = Wishes(**{field.name: getattr(flags, field.name) for field in dataclasses.fields(Wishes)})
    wishes.check()
    if flags.summary and flags.summary.suffix.lower() != ".json":
        raise UserError(f"--summary={flags.summary} will be JSON; end its name in .json")
    return wishes


def run(task: Task, wishes: Wishes, network: str, summary_path: Path | None) -> int:
    """Fills it.

    Args:
      task: which photographs.
      wishes: how.
      network: a run folder, a bundle or what needs none, as `Inpainter.load` takes it.
      summary_path: a JSON file to write, even where the run is interrupted; or None.

    Returns:
      The exit code.

    Raises:
      UserError: the network cannot be loaded, or a photograph that was asked for alone cannot be filled.
    """
    request = task.reading.open(task.jobs[0].pair) if task.alone else None  # a typo costs no wait for the network
    inpainter = Inpainter.load(network)
    _check_labels(task, inpainter.num_labels)
    filler = Filler(inpainter, wishes)
    told = dataclasses.asdict(wishes)
    which = {"run": network, **inpainter.about}
    summary = Summary(network=which, wishes=told, asked=len(task.jobs), unmatched=task.matched.unmatched)
    try:
        if request is None:
            fill_all(task.jobs, filler, task.reading, summary, wishes.batch_size)
            log.info("%s", summary)
        else:
            _fill_alone(task, filler, request, summary)
    finally:
        if summary_path:
            summary.write(summary_path)
    return summary.exit_code


def _check_labels(task: Task, num_labels: int) -> None:
    """Refuses at once what every photograph would fail for.

    Raises:
      UserError: the method needs label maps, and there are none.
    """
    if num_labels and not task.alone and task.jobs[0].pair.labels is None:
        raise UserError(f"this method needs label maps of {num_labels} classes; give --labels=FOLDER")


def _fill_alone(task: Task, filler: Filler, request: Request, summary: Summary) -> None:
    """One photograph, whose errors end the command.

    Raises:
      UserError: it cannot be filled or written; the summary says so, too.
    """
    (job,), began = task.jobs, time.perf_counter()
    outcome = Outcome.of(job.pair, job.output)
    summary.outcomes.append(outcome)
    try:
        if task.reading.keep_existing and job.output.exists():
            outcome.status = "kept"
            log.info("%s is there and is kept", job.output)
            return
        outcome.note(request.hole, filler.strategy(request))
        write_photograph(job.output, filler.one(request), request.photograph, request.hole)
        outcome.status = "filled"
        log.info("wrote %s (%s)", job.output, outcome.strategy)
    except UserError as error:
        outcome.status, outcome.error = "failed", str(error)
        raise
    finally:
        outcome.seconds = summary.seconds = time.perf_counter() - began


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wishes:
    """How to fill.

    Attributes:
      seed: of what the method draws at random.
      strategy: as `Inpainter` takes it.
      feather: pixels, likewise.
      style_steps: updates of the style search; 0 does without.
      style_from: a photograph to take styles from, or None.
      style_labels: its label map.
      style_parts: whose styles are taken; all without any.
      style_amount: 0 is the photograph's own style, 1 the other's.
      batch_size: photographs that the network sees at a time.
    """

    seed: int = 0
    strategy: Strategy = "auto"
    feather: float = 0
    style_steps: int = 0
    style_from: Path | None = None
    style_labels: Path | None = None
    style_parts: Sequence[str] = ()
    style_amount: float = 1.0
    batch_size: int = 1

    def check(self) -> None:
        """Refuses wishes that contradict each other.

        Raises:
          UserError: it names the flags.
        """
        if bool(self.style_from) != bool(self.style_labels):
            raise UserError("--style_from and --style_labels go together: a photograph and its label map")
        if self.batch_size < 1:
            raise UserError(f"--batch_size must be at least 1, not {self.batch_size}")
        if self.batch_size > 1 and (self.style_steps or self.style_from):
            raise UserError("styles are searched and taken for one photograph at a time; leave out --batch_size")
        if not 0 <= self.feather < float("inf"):
            raise UserError(f"--feather is a number of pixels, 0 or more, not {self.feather}")


@contextlib.contextmanager
def _device_errors() -> Iterator[None]:
    """What a device says that has run out of memory, in one line."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        cure = "crop the photograph, or fill it with --strategy=whole and --batch_size=1"
        raise UserError(f"the device could not fill it ({first_line(error)}); {cure}") from error


class Filler:
    """An Inpainter that does as it is told."""

    def __init__(self, inpainter: Inpainter, wishes: Wishes) -> None:
        """Reads the styles of the other photograph, where there is one.

        Raises:
          UserError: it cannot be read, or the method does not paint from styles.
        """
        self._inpainter, self._wishes = inpainter, wishes
        self._reference: Mapping[str, np.ndarray] | None = None
        if wishes.style_from:
            found = inpainter.styles(wishes.style_from, wishes.style_labels)
            self._reference = pick_styles(found, list(wishes.style_parts))

    def one(self, request: Request) -> np.ndarray:
        """The filled photograph, uint8 [H,W,3].

        Raises:
          UserError: what cannot be filled, or does not fit into the device's memory.
        """
        wishes, pixels, hole = self._wishes, request.photograph.pixels, request.hole  # [H,W,3], [H,W]
        labels = request.labels_for(self._inpainter.num_labels)  # [H,W]
        more: dict[str, Any] = {"strategy": wishes.strategy, "feather": wishes.feather, "seed": wishes.seed}
        if wishes.style_steps:
            more |= {"refine": "style_search", "steps": wishes.style_steps}
        with _device_errors():
            if self._reference is not None:
                own = self._inpainter.styles(pixels, labels, hole)
                more["styles"] = interpolate(own, self._reference, wishes.style_amount)
            return self._inpainter(pixels, hole, labels, **more)

    def several(self, requests: Sequence[Request]) -> list[np.ndarray]:
        """As `one`, for up to `batch_size` photographs at once; none depends on the others.

        Raises:
          UserError: one of them cannot be filled.
        """
        if len(requests) == 1 and self._wishes.batch_size == 1:
            return [self.one(requests[0])]
        wishes = self._wishes
        maps = [request.labels_for(self._inpainter.num_labels) for request in requests]
        labels = [each for each in maps if each is not None]
        with _device_errors():
            filled = self._inpainter.batch(
                [request.photograph.pixels for request in requests],
                [request.hole for request in requests],
                labels or None,
                seed=wishes.seed,
                batch_size=wishes.batch_size,
                strategy=wishes.strategy,
                feather=wishes.feather,
            )
            return list(filled)

    def strategy(self, request: Request) -> str:
        """What the network looks at to fill it, such as "the whole photograph"."""
        if not request.hole.any():
            return "nothing, there is no hole"
        pixels, labels = request.photograph.pixels, request.labels
        return self._inpainter.look(pixels, request.hole, labels, self._wishes.strategy).strategy


Say = Callable[[str], None]


class Notes(logging.Handler):
    """Keeps what is logged about each photograph; says it the first time, and at the end how often it was the case."""

    def __init__(self, say: Say) -> None:
        """`say` prints a line."""
        super().__init__(logging.WARNING)
        self._say = say
        self._outcome: Outcome | None = None
        self._counts: Counter[str] = Counter()  # by the message's template, like the first of each
        self._first: dict[str, str] = {}
        self._logger = logging.getLogger("scan_jax")

    def __enter__(self) -> Notes:
        self._propagate, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagate
        for template, count in self._counts.items():
            if count > 1:
                self._say(f"{count:,} photographs in all: {self._first[template]}")

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`."""
        message = record.getMessage()
        if self._outcome is not None:
            if message in self._outcome.warnings:
                return
            self._outcome.warnings.append(message)
        template = str(record.msg)
        self._counts[template] += 1
        if self._counts[template] == 1:
            self._first[template] = message
            self._say(f"{self._outcome.name}: {message}" if self._outcome else message)

    @contextlib.contextmanager
    def about(self, outcome: Outcome) -> Iterator[None]:
        """What happens inside concerns this photograph: its time, its warnings, and its failure, which ends here."""
        began = time.perf_counter()
        self._outcome = outcome
        try:
            yield
        except (UserError, MemoryError) as error:
            outcome.status, outcome.error = "failed", str(error) or "there is not enough memory to read it"
            self._say(f"{outcome.name}: {outcome.error}")
        finally:
            outcome.seconds += time.perf_counter() - began
            self._outcome = None


ALL_FAILED, SOME_FAILED = 1, 3  # exit codes
Status = Literal["waiting", "filled", "kept", "failed"]


@dataclasses.dataclass(kw_only=True)
class Outcome:
    """One photograph.

    Attributes:
      name: its path within its folder.
      input: its file, like `hole`, `labels` and `output`.
      status: "waiting", "filled", "kept" where the output was there before, "failed".
      width: pixels, where it was read, like `height` and `hole_share`.
      hole_share: of its pixels.
      seconds: reading, filling (its part of a batch's time) and writing.
      strategy: what the network looked at.
      warnings: what was said about it.
      error: why it failed.
    """

    name: str
    input: Path
    hole: Path
    labels: Path | None
    output: Path
    status: Status = "waiting"
    width: int | None = None
    height: int | None = None
    hole_share: float | None = None
    seconds: float = 0.0
    strategy: str | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)
    error: str | None = None

    @classmethod
    def of(cls, pair: Pair, output: Path) -> Outcome:
        """Of a photograph that was not looked at yet."""
        return cls(name=pair.name, input=pair.photograph, hole=pair.hole, labels=pair.labels, output=output)

    def note(self, hole: np.ndarray, strategy: str) -> None:
        """Notes the photograph's size and share of hole, bool [H,W], and what is looked at."""
        self.height, self.width = hole.shape
        self.hole_share, self.strategy = float(hole.mean()), strategy

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        found = dataclasses.asdict(self)
        found |= {key: str(value) for key, value in found.items() if isinstance(value, Path)}
        found["seconds"] = round(self.seconds, 4)
        found["hole_share"] = None if self.hole_share is None else round(self.hole_share, 6)
        return found


@dataclasses.dataclass(kw_only=True)
class Summary:
    """A whole run.

    Attributes:
      network: which it was: run, step, size, hash of the parameters.
      wishes: the flags on how to fill.
      asked: photographs that were to be filled.
      unmatched: photographs without a hole or label map, holes without a photograph.
      outcomes: of the photographs that it came to, in order.
      seconds: without loading the network.
    """

    network: Mapping[str, Any]
    wishes: Mapping[str, Any]
    asked: int
    unmatched: Sequence[str] = ()
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def count(self, status: Status) -> int:
        """Photographs of which this became."""
        return Counter(outcome.status for outcome in self.outcomes)[status]

    @property
    def exit_code(self) -> int:
        """0: all done; 3: some failed; 1: none is done."""
        failed = self.count("failed")
        if not failed:
            return 0
        return ALL_FAILED if failed == len(self.outcomes) else SOME_FAILED

    def __str__(self) -> str:
        """ "filled 10 of 13 photographs in 4.2 s; 2 were there before; 1 failed"."""
        text = f"filled {self.count('filled'):,} of {self.asked:,} photographs in {self.seconds:.1f} s"
        if kept := self.count("kept"):
            text += f"; {kept:,} were there before"
        if failed := self.count("failed"):
            text += f"; {failed:,} failed"
        return text

    def write(self, path: Path) -> None:
        """Writes all of it as JSON.

        Raises:
          UserError: it cannot be written.
        """
        totals = {
            "photographs": self.asked,
            **{status: self.count(status) for status in ("filled", "kept", "failed")},  # type: ignore[arg-type]
            "not_reached": self.asked - len(self.outcomes),
            "unmatched": list(self.unmatched),
            "seconds": round(self.seconds, 4),
            "exit_code": self.exit_code,
        }
        photographs = [outcome.to_json() for outcome in self.outcomes]
        whole = {
            "network": dict(self.network),
            "wishes": dict(self.wishes),
            "totals": totals,
            "photographs": photographs,
        }
        write_atomically(path, (json.dumps(whole, indent=1, default=str) + "\n").encode())
