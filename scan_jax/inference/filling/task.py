"""What a command line asks for, before a network is loaded: which files are read, where each result goes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.inference.files.photograph import check_output
from scan_jax.inference.filling import output_places
from scan_jax.inference.filling.jobs import Job, Reading
from scan_jax.inference.filling.pairs import Matched, match
from scan_jax.inference.filling.summary import ALL_FAILED, SOME_FAILED
from scan_jax.label_map import size_text


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
            output_places.check_folder(flags.out, folders)
        outputs = [flags.out] if alone else output_places.in_folder(matched.pairs, flags.out, flags.format)
        read = [path for pair in matched.pairs for path in (pair.photograph, pair.hole, pair.labels)]
        output_places.check_places(outputs, [*read, *_references(flags)])
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
