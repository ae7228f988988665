"""Several processes as one program: how they find each other, who writes, and how an error of one ends all."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from scan_jax.errors import UserError

log = logging.getLogger(__name__)

OFF, AUTO = "off", "auto"
TIMEOUT = 120  # seconds in which the others must come
_ADDRESS = re.compile(r"(?P<address>[^,\s]+:\d+),(?P<count>\d+),(?P<index>\d+)")


def join(how: str) -> None:
    """Joins the other processes of this run; before anything else touches JAX.

    Args:
      how: "off" for one process; "auto" where Cloud TPU, Slurm or Kubernetes say who takes part; or
        "HOST:PORT,COUNT,INDEX" with the address of process 0, the number of processes and this one's.

    Raises:
      UserError: it cannot be read, nothing says who takes part, or process 0 does not answer in two minutes.
    """
    if how == OFF:
        return
    import jax

    given = _ADDRESS.fullmatch(how)
    if how != AUTO and not given:
        raise UserError(f"--distributed must be off, auto or HOST:PORT,COUNT,INDEX, not {how!r}")
    count, index = (int(given["count"]), int(given["index"])) if given else (0, 0)
    if given and not index < count:
        raise UserError(f"--distributed={how}: the index must be below the count, from 0")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # used where the devices are CPUs
    try:
        if given:
            jax.distributed.initialize(given["address"], count, index, initialization_timeout=TIMEOUT)
        else:
            jax.distributed.initialize(initialization_timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        where = given["address"] if given else "the process 0 that the environment names"
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"cannot join the other processes at {where} within {TIMEOUT} s ({reason})") from error
    log.info("process %d of %d", jax.process_index(), jax.process_count())


def is_first() -> bool:
    """Whether this process is the one that writes."""
    import jax

    return jax.process_index() == 0


def by_first(action: Callable[[], object]) -> None:
    """Process 0 does it; its failure is everybody's.

    Raises:
      UserError: `action` raised one, in every process the same.
    """
    import jax

    if jax.process_count() == 1:
        action()
        return
    complaint = _complaint(action) if is_first() else ""
    told = _tell_all(complaint)
    if told:
        raise UserError(told)


def fetch(tree: Any) -> Any:
    """Arrays on the host, whole in every process, wherever their parts lie; every process asks for the same."""
    import jax
    from jax.experimental import multihost_utils

    if all(leaf.is_fully_addressable for leaf in jax.tree.leaves(tree)):
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def _complaint(action: Callable[[], object]) -> str:
    """What went wrong, or nothing."""
    try:
        action()
    except UserError as error:
        return str(error)
    return ""


def _tell_all(text: str, room: int = 4096) -> str:
    """The text of process 0, in every process."""
    import numpy as np
    from jax.experimental import multihost_utils

    content = np.zeros(room, np.uint8)
    encoded = np.frombuffer(text.encode()[:room], np.uint8)
    content[: len(encoded)] = encoded
    told = np.asarray(multihost_utils.broadcast_one_to_all(content), np.uint8)
    return told.tobytes().rstrip(b"\0").decode(errors="ignore")
