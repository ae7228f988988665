"""One process at a time writes into a folder, and a second one is told by whom it is held."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError

LOCK, HOLDER = ".lock", ".in_use"  # in the folder: what is locked, and who has it


@contextlib.contextmanager
def held(folder: Path, cure: str) -> Iterator[None]:
    """While the block runs, no other process on this machine, or on one that shares the disk, can hold `folder`.

    The lock is the operating system's: that of a process that was killed is gone with it. Of a pod's processes, the
    first one holds it for all.

    Args:
      folder: made where it is missing.
      cure: what else can be done, for the message: "choose another --workdir".

    Raises:
      UserError: another process holds it, which is named with its machine and since when; or it cannot be written to.
    """
    import filelock  # not before it is needed: --help answers at once

    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise UserError(f"{folder} is in use by {_holder(folder)}; wait for it, or {cure}") from error
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}; {cure}") from error
    try:
        about = {"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_atomically(folder / HOLDER, json.dumps(about).encode())
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Deletes those that a process held which is gone; others, of living processes and other users, stay."""
    for folder in folders:
        with contextlib.suppress(UserError, OSError):
            if (folder / LOCK).is_file() and not folder.is_symlink():
                with held(folder, ""):
                    shutil.rmtree(folder, ignore_errors=True)


def _holder(folder: Path) -> str:
    """Which process has it, as far as that is known."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        about = json.loads((folder / HOLDER).read_text())
        return f"process {about['process']} on {about['host']} since {about['since']}"
    return "another process"
