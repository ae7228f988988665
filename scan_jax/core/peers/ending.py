"""How a process of several ends: at once, for JAX's usual end waits for all the others."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
from typing import NoReturn

_first = threading.Lock()


def end(line: str, code: int) -> NoReturn:
    """Says why on stderr and ends this process, from whatever thread; of several callers the first one does.

    Neither JAX's end, which waits for the other processes, nor anything else is waited for; checkpoints are atomic.
    """
    _first.acquire()
    with contextlib.suppress(OSError, ValueError):  # closed, or a pipe that nobody reads
        sys.stdout.flush()
        # Another thread's line may come upon a progress bar.
        line = line if threading.current_thread() is threading.main_thread() else f"\n{line}"
        print(line, file=sys.stderr, flush=True)
    for child in multiprocessing.active_children():
        child.kill()  # those that read data would outlive this process
    os._exit(code)


def may_be_others(error: BaseException) -> bool:
    """Whether the end of another process can have caused an error, itself or among those that it was raised from.

    XLA's errors may, a lack of memory excepted; those of gloo, its means on CPUs, come as ValueError and say so.
    """
    import jax

    seen: BaseException | None = error
    while seen is not None:
        of_xla = isinstance(seen, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(seen)
        if of_xla or "Gloo" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
