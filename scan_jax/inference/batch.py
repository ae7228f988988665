"""Fills photograph after photograph: one that cannot be filled is named with its reason, and the others go on."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.core.run_layout import first_line
from scan_jax.images import pairs
from scan_jax.images.hole import HoleColor
from scan_jax.images.labels import size_text
from scan_jax.images.own_hole import NothingMarked
from scan_jax.images.pairs import Matched, Pair
from scan_jax.images.photograph import copy_photograph, write_photograph
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions, Request
from scan_jax.inference.summary import ALL_FAILED, SOME_FAILED, Outcome, Summary, WarningCollector
from scan_jax.inference.tiling import Tiles

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """Photographs to fill."""

    files: Sequence[tuple[Pair, Path]]  # each photograph with its hole and label map, and its output
    matched: Matched  # what was found
    options: FillOptions = dataclasses.field(default_factory=FillOptions)  # how holes are read
    hole_color: HoleColor = "white"  # what holes are painted with
    resize_labels: bool = False  # whether label maps of another size are resized to the photograph's
    keep_existing: bool = False  # whether photographs whose output exists are skipped
    alone: bool = False  # whether it is one photograph, for which errors are the command's

    @classmethod
    def of(cls, flags: argparse.Namespace, options: FillOptions) -> Job:
        """From the flags of the command, and the options that they make.

        Raises:
          UserError: files that are missing or do not match, or an output that would be written over an input.
        """
        alone = not flags.photograph.is_dir()
        if alone and flags.format:
            raise UserError("--format is for folders; for one photograph, the name of --out says it")
        if alone and flags.batch_size > 1:
            raise UserError("--batch_size is for folders; one photograph is filled alone")
        folders = (flags.photograph, flags.hole, flags.labels)
        matched = pairs.match(
            *folders,
            hole_suffix=flags.hole_suffix,
            leave_out=() if alone else (flags.out,),
            own_holes=bool(flags.hole_from),
        )
        if not alone:
            pairs.check_folder(flags.out, folders)
        outputs = [flags.out] if alone else pairs.in_folder(matched.pairs, flags.out, flags.format)
        inputs = [path for pair in matched.pairs for path in (pair.photograph, pair.hole, pair.labels)]
        pairs.check_places(outputs, [*inputs, flags.style_from, flags.style_labels])
        return cls(
            files=list(zip(matched.pairs, outputs)),
            matched=matched,
            options=options,
            hole_color=flags.hole_color,
            resize_labels=flags.resize_labels,
            keep_existing=flags.keep_existing,
            alone=alone,
        )

    def open(self, pair: Pair) -> Request:
        """Reads the files of one photograph.

        Raises:
          UserError: one cannot be read, they differ in size, or one that was asked for alone has no hole marked in it.
        """
        files = (pair.photograph, pair.hole, pair.labels)
        how: dict[str, Any] = {"hole_color": self.hole_color, "resize_labels": self.resize_labels}
        try:
            return Request.open(*files, **how, options=self.options)
        except NothingMarked as error:
            if self.alone:
                raise
            log.warning("%s", error)
            return Request.open(*files, **how)

    def keeps(self, output: Path) -> bool:
        """Whether the photograph is skipped, for its output is there."""
        return self.keep_existing and output.exists()

    def check_unmatched(self) -> None:
        """Refuses to skip anything in silence: a UserError counts and names what does not match."""
        if self.matched.unmatched:
            raise UserError(f"{self.matched}; complete them, or pass them over with --allow_unmatched")

    def check_labels(self, num_labels: int) -> None:
        """Refuses at once what every photograph of a folder would fail for: no label maps where some are needed."""
        if num_labels and not self.alone and self.files[0][0].labels is None:
            raise UserError(f"this method needs label maps of {num_labels} classes; give --labels=FOLDER")

    def show(self) -> int:
        """Reads everything, prints what would be done, and returns the exit code, as far as it can be known."""
        failed = 0
        for pair, output in self.files:
            try:
                print(self._describe(pair, output))
            except UserError as error:
                failed += 1
                print(f"{pair.name}: cannot be filled: {error}")
        print(f"{self.matched}; {failed} cannot be filled; nothing was written")
        sys.stdout.flush()
        if not failed:
            return 0
        return ALL_FAILED if failed == len(self.files) else SOME_FAILED

    def _describe(self, pair: Pair, output: Path) -> str:
        """One line; a UserError where a file cannot be read, or sizes differ."""
        if self.keeps(output):
            return f"{pair.name} -> {output} is there and is kept"
        hole = self.open(pair).hole
        with_labels = f", labels {pair.labels}" if pair.labels else ""
        share = f"{100 * hole.mean():.1f}%" if hole.any() else "empty, nothing to fill"
        where = pair.hole or f"from {self.options.hole_from}"
        return f"{pair.name} {size_text(hole.shape)}, hole {where} {share}{with_labels} -> {output}"


def run(job: Job, options: FillOptions, network: str, fill_flags: Mapping[str, Any], summary_path: Path | None) -> int:
    """Loads the network, fills, tells, and returns the exit code.

    `network` is as `Inpainter.load` takes it; `fill_flags`, on how to fill, are for the summary, JSON that is written
    to `summary_path` even where the run is interrupted. UserError where the network cannot be loaded, or a photograph
    that was asked for alone cannot be filled.
    """
    first = job.open(job.files[0][0]) if job.alone else None  # a typo costs no wait for the network
    inpainter = Inpainter.load(network)
    job.check_labels(inpainter.num_labels)
    options = inpainter.with_styles(options)
    which = {"run": network, **inpainter.about}
    summary = Summary(network=which, fill_flags=fill_flags, asked=len(job.files), unmatched=job.matched.unmatched)
    try:
        fill_all(job, inpainter, options, summary, first)
        if not job.alone:
            log.info("%s", summary)
    finally:
        if summary_path:
            summary.write(summary_path)
    if not job.alone:
        return summary.exit_code
    (outcome,) = summary.outcomes
    if outcome.error:
        raise UserError(outcome.error)
    if outcome.status == "kept":
        log.info("%s is there and is kept", outcome.output)
    else:
        log.info("wrote %s (%s)", outcome.output, outcome.strategy)
    return 0


def fill_all(
    job: Job, inpainter: Inpainter, options: FillOptions, summary: Summary, first: Request | None = None
) -> None:
    """Fills all photographs, and notes in `summary` what became of each as soon as it is known.

    They are filled in the job's order, `options.batch_size` in memory at a time; the first one is `first` where it was
    read already. The summary is right at any time, so it can be written when the run is interrupted.
    """
    began, rest = time.perf_counter(), iter(job.files)
    filling = _Filling(job, inpainter, options)
    with progress_bar(total=len(job.files), unit="photograph", leave=False, disable=job.alone) as bar:
        try:
            while group := list(itertools.islice(rest, options.batch_size)):
                outcomes = [Outcome.of(*files) for files in group]
                try:
                    filling.fill(outcomes, group, first)
                finally:  # also where the run is interrupted
                    summary.outcomes += [outcome for outcome in outcomes if outcome.status != "waiting"]
                    summary.seconds = time.perf_counter() - began
                bar.update(len(group))
        finally:
            filling.say_how_often(summary.outcomes)


class _Filling:
    """Fills group after group, and says what is to be said of each photograph."""

    def __init__(self, job: Job, inpainter: Inpainter, options: FillOptions) -> None:
        self._job, self._inpainter, self._options = job, inpainter, options
        self._said: dict[str, str] = {}  # the first message of each template

    def fill(self, outcomes: Sequence[Outcome], files: Sequence[tuple[Pair, Path]], first: Request | None) -> None:
        """Reads, fills and writes these photographs, and notes what became of each."""
        opened: list[tuple[Outcome, Request, Tiles]] = []
        for outcome, (pair, output) in zip(outcomes, files):
            if self._job.keeps(output):
                outcome.status = "kept"
                continue
            with self._about(outcome):
                request = first or self._job.open(pair)
                tiles = self._inpainter.plan(request, self._options)
                outcome.note(tiles)
                if request.hole.any():
                    opened.append((outcome, request, tiles))
                else:
                    copy_photograph(pair.photograph, output, request.photograph)
                    outcome.status = "nothing_to_fill"
        together = self._fill_together([tiles for _, _, tiles in opened]) if len(opened) > 1 else None
        for index, (outcome, request, tiles) in enumerate(opened):
            with self._about(outcome):
                if together:
                    pixels, seconds = together[0][index], together[1] / len(opened)
                    outcome.seconds += seconds
                else:
                    pixels = self._predict([tiles])[0]
                write_photograph(outcome.output, pixels, request.photograph, request.hole)
                outcome.status = "filled"

    def _fill_together(self, tiles: Sequence[Tiles]) -> tuple[list[np.ndarray], float] | None:
        """The filled photographs and the seconds that it took; None where one cannot be filled: each is tried alone."""
        began = time.perf_counter()
        try:
            return self._predict(tiles), time.perf_counter() - began
        except UserError:
            return None

    def _predict(self, tiles: Sequence[Tiles]) -> list[np.ndarray]:
        try:
            return self._inpainter.fill(tiles, self._options)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            cure = "crop the photograph, or fill it with --strategy=whole and --batch_size=1"
            raise UserError(f"the device could not fill it ({first_line(error)}); {cure}") from error

    @contextlib.contextmanager
    def _about(self, outcome: Outcome) -> Iterator[None]:
        """What happens inside concerns this photograph: its time, its warnings, and its failure, which ends here."""
        began = time.perf_counter()
        try:
            with WarningCollector(propagate=self._job.alone) as collector:
                try:
                    yield
                finally:
                    self._note_warnings(outcome, collector.messages)
        except (UserError, MemoryError) as error:
            outcome.status, outcome.error = "failed", str(error) or "there is not enough memory to read it"
            self._say(f"{outcome.name}: {outcome.error}")
        finally:
            outcome.seconds += time.perf_counter() - began

    def _note_warnings(self, outcome: Outcome, messages: Mapping[str, str]) -> None:
        outcome.warnings |= messages
        for message, template in messages.items():
            if template not in self._said:
                self._said[template] = message
                self._say(f"{outcome.name}: {message}")

    def say_how_often(self, outcomes: Sequence[Outcome]) -> None:
        """Of each warning that more than one photograph had."""
        counts = Counter(template for outcome in outcomes for template in outcome.warnings.values())
        for template, count in counts.items():
            if count > 1:
                self._say(f"{count:,} photographs in all: {self._said[template]}")

    def _say(self, line: str) -> None:
        """On stderr, beside the bar; one photograph's lines are said by the command."""
        if not self._job.alone:
            tqdm.write(line, file=sys.stderr)
