"""Scalars of a run: always JSON lines, TensorBoard as well where it is installed."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.distributed import is_first
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import SCALARS

log = logging.getLogger(__name__)


class JsonLines:
    """`scalars.jsonl`: one object a line, `{"step": 100, "term/l1": 0.1, ...}`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SCALARS
        self._path.touch()

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Appends one line; the file is closed again, for a mounted bucket uploads closed files only."""
        line = json.dumps({"step": step, **{name: float(value) for name, value in scalars.items()}})
        with self._path.open("ab", buffering=0) as file:  # nothing is left to flush on a full disk
            file.write(f"{line}\n".encode())

    def close(self) -> None:
        """Nothing is open."""


class TensorBoard:
    """Event files by way of clu, which needs TensorFlow."""

    def __init__(self, folder: Path) -> None:
        from clu import metric_writers

        self._writer: Any = metric_writers.SummaryWriter(str(folder / "tensorboard"))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds the scalars at `step`."""
        with _as_os_error():
            self._writer.write_scalars(step, scalars)

    def close(self) -> None:
        """Flushes and closes."""
        with _as_os_error():
            self._writer.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """TensorFlow's errors are none of Python's, and their messages have many lines."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tensorflow"):
            raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OSError(errno.EIO, f"TensorBoard's events ({line})") from error


class ScalarWriters:
    """All the writers of a run behind one call; a context manager that closes them.

    Those of process 0 alone write; the scalars of the others are the same.
    """

    def __init__(self, folder: Path) -> None:
        self._writers: list[JsonLines | TensorBoard] = []
        if not is_first():
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._writers.append(JsonLines(folder))
        if all(importlib.util.find_spec(name) for name in ("tensorflow", "tensorboard")):
            self._writers.append(TensorBoard(folder))
        else:
            log.info("scalars go to %s/scalars.jsonl; `pip install tensorflow tensorboard` adds TensorBoard", folder)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Hands the scalars to every writer.

        Raises:
          UserError: the disk is full.
        """
        with _told():
            for writer in self._writers if scalars else ():
                writer.write(step, scalars)

    def __enter__(self) -> ScalarWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What ended the run is what people must read, not that the rest could not be written either.
        with contextlib.suppress(UserError) if kind else contextlib.nullcontext(), _told():
            for writer in self._writers:
                writer.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write scalars: {error.strerror}; free some disk space, then go on") from error


def forget_after(folder: Path, step: int) -> None:
    """Drops the lines after `step`, which a resumed run is about to write again."""
    path = folder / SCALARS
    if not path.exists():
        return
    kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
    write_atomically(path, "".join(line + "\n" for line in kept).encode())


def has_scalars(folder: Path, step: int, prefix: str) -> bool:
    """Whether there are scalars of a step whose names begin so."""
    path = folder / SCALARS
    lines = path.read_text().splitlines() if path.exists() else []
    return any(_step_of(line) == step and f'"{prefix}' in line for line in lines)


def _step_of(line: str) -> float:
    """The step of a line; one cut short by a crash counts as after everything."""
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):
        return float("inf")
