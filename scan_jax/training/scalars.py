"""Scalars of a run: always JSON lines, TensorBoard as well where it is installed."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.distributed import is_first
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import SCALARS, first_line

log = logging.getLogger(__name__)


class ScalarWriters:
    """`scalars.jsonl`, one object a line (`{"step": 100, "term/l1": 0.1, ...}`), and TensorBoard's events.

    Those of process 0 alone write; the scalars of the others are the same. A context manager that closes them.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._writes = folder / SCALARS, is_first()
        self._events: Any = None
        if not self._writes:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        if all(importlib.util.find_spec(name) for name in ("tensorflow", "tensorboard")):
            from clu import metric_writers  # which needs TensorFlow

            self._events = metric_writers.SummaryWriter(str(folder / "tensorboard"))
        else:
            log.info("scalars go to %s/scalars.jsonl; `pip install tensorflow tensorboard` adds TensorBoard", folder)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Appends to the lines and the events; a UserError where the disk is full."""
        if not scalars or not self._writes:
            return
        line = json.dumps({"step": step, **{name: float(value) for name, value in scalars.items()}})
        with _full_disk_as_user_error():
            # Closed again, for a mounted bucket uploads closed files only; nothing is left to flush on a full disk.
            with self._path.open("ab", buffering=0) as file:
                file.write(f"{line}\n".encode())
            if self._events:
                self._events.write_scalars(step, scalars)

    def __enter__(self) -> ScalarWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What ended the run is what people must read, not that the rest could not be written either.
        with contextlib.suppress(UserError) if kind else contextlib.nullcontext(), _full_disk_as_user_error():
            if self._events:
                self._events.close()


@contextlib.contextmanager
def _full_disk_as_user_error() -> Iterator[None]:
    """TensorFlow's errors are none of Python's, and their messages have many lines."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            reason = error.strerror
        elif type(error).__module__.startswith("tensorflow"):
            full = os.strerror(errno.ENOSPC)  # after the name of an operation and a path, too long for one line
            reason = f"TensorBoard's events ({full if full in str(error) else first_line(error)})"
        else:
            raise
        raise UserError(f"cannot write scalars: {reason}; free some disk space, then go on") from error


def forget_after(folder: Path, step: int) -> None:
    """Drops the lines after `step`, which a resumed run is about to write again."""
    path = folder / SCALARS
    if path.exists():
        kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
        write_atomically(path, "".join(f"{line}\n" for line in kept).encode())


def has_scalars(folder: Path, step: int, prefix: str) -> bool:
    """Whether there are scalars of a step whose names begin so."""
    path = folder / SCALARS
    lines = path.read_text().splitlines() if path.exists() else []
    return any(_step_of(line) == step and f'"{prefix}' in line for line in lines)


def _step_of(line: str) -> float:
    """The step of a line; one that was cut short or edited counts as after everything."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
