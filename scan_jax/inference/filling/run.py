"""Loads the network, fills what a task asks for, and says what became of it."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.inference.files.photograph import write_photograph
from scan_jax.inference.filling.filler import Filler, Wishes
from scan_jax.inference.filling.jobs import fill_all
from scan_jax.inference.filling.summary import Outcome, Summary
from scan_jax.inference.filling.task import Task
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import Request

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
