"""What all processes of a run must know alike, where each could find something else."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from scan_jax.core.distributed import is_first


def of_first(text: str) -> str:
    """The text of process 0, of any length, in every process; all must ask."""
    if jax.process_count() == 1:
        return text
    content = np.frombuffer(text.encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(length, np.uint8)
    padded[: len(content[:length])] = content[:length]
    return np.asarray(multihost_utils.broadcast_one_to_all(padded), np.uint8).tobytes().decode()


def first_knows(question: Callable[[], bool]) -> bool:
    """Process 0's answer, in every process; all must ask."""
    return of_first(str(question() if is_first() else "")) == str(True)


def everywhere(said: bool) -> bool:
    """Whether every process says so; all must ask."""
    if jax.process_count() == 1:
        return said
    return bool(np.asarray(multihost_utils.process_allgather(np.int32(said))).all())
