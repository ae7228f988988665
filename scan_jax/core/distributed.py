"""Several processes as one program: how they find each other, who writes, and how an error of one ends all.

JAX is imported where it is needed: commands answer --help without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.metadata
import logging
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core import coordinator, device
from scan_jax.core.config import flatten
from scan_jax.core.connection import Connection, ProcessInfo, connect, end, may_be_others
from scan_jax.core.errors import UserError

log = logging.getLogger(__name__)

OFF, AUTO = "off", "auto"
TIMEOUT = 120.0  # seconds in which the others must come
PATIENCE = coordinator.SILENCE + 5  # seconds in which the coordinator must know of a death that broke a collective
ALIKE = ("jax", "jaxlib", "flax", "optax", "numpy")  # packages that make the program; all need the same versions
_ADDRESS = re.compile(r"(?P<address>[^,\s]+:\d+),(?P<count>\d+),(?P<index>\d+)")


@contextlib.contextmanager
def joined(how: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """A context in which this process is one of several; opened before anything else touches JAX.

    Where one of them dies, or ends by an error, all others end with exit code 1 and a line that names it: at once, or
    `coordinator.SILENCE` seconds after its machine has gone. The context ends when all have left it.

    Args:
      how: "off" for one process; "auto" where Cloud TPU, Slurm or Kubernetes say who takes part; or
        "HOST:PORT,COUNT,INDEX" with the address of process 0, the number of processes and this one's.
      timeout: seconds in which all must come.

    Raises:
      UserError: `how` cannot be read, nothing says who takes part, not all come, or they do not fit together.
    """
    if how == OFF:
        device.require_chosen()
        yield
        return
    global _connection  # for good: the coordinator goes when the last process has closed its connection
    _connection = connect(_process_info(how, timeout), timeout)
    try:
        agree("versions", {**{name: importlib.metadata.version(name) for name in ALIKE}, "scan_jax": _digest()})
        _initialize_jax(_connection)
        device.require_chosen()
        yield
        _connection.finish()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this process and is told to the others
        if may_be_others(error):
            time.sleep(PATIENCE)  # the coordinator ends this process as soon as it knows who died
        _connection.leave("".join(traceback.format_exception_only(error)).strip().removeprefix(_OURS))
        end(*_last_words(error))


def agree(what: str, values: Mapping[str, Any]) -> None:
    """Makes sure that all processes have the same `values`, which may be nested; all ask, before they compile.

    UserError where one writes something else, which is named; in every process the same.
    """
    if _connection is not None:
        _connection.agree(what, {name: repr(value) for name, value in flatten(values).items()})


def is_first() -> bool:
    """Whether this process is the one that writes."""
    import jax

    return jax.process_index() == 0


def on_process_zero(action: Callable[[], object]) -> None:
    """Process 0 does it; its UserError is everybody's."""
    import jax

    if jax.process_count() == 1:
        action()
        return
    complaint = ""
    if is_first():
        try:
            action()
        except UserError as error:
            complaint = str(error)
    if complaint := broadcast_from_zero(complaint):
        raise UserError(complaint)


def fetch(tree: Any) -> Any:
    """Arrays on the host, whole in every process, wherever their parts lie; every process asks for the same."""
    import jax
    from jax.experimental import multihost_utils

    if all(leaf.is_fully_addressable for leaf in jax.tree.leaves(tree)):
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


_connection: Connection | None = None
_OURS = f"{UserError.__module__}.{UserError.__qualname__}: "


def _last_words(error: BaseException) -> tuple[str, int]:
    """What the user reads of an error, as `cli.run` has it, and the exit code."""
    if isinstance(error, UserError):
        return f"error: {error}", 1
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    return "".join(traceback.format_exception(error)).rstrip(), 1


def _process_info(how: str, timeout: float) -> ProcessInfo:
    """Of this process."""
    if match := _ADDRESS.fullmatch(how):
        place = ProcessInfo(match["address"], int(match["count"]), int(match["index"]))
    elif how == AUTO:
        place = _detected(timeout)
    else:
        raise UserError(f"--distributed must be off, auto or HOST:PORT,COUNT,INDEX, not {how!r}")
    if not place.index < place.count:
        raise UserError(f"--distributed={how}: the index must be below the count, from 0")
    return place


def _detected(timeout: float) -> ProcessInfo:
    """What Cloud TPU, Slurm, Kubernetes or MPI say; JAX knows them, but has no public way to ask."""
    from jax._src import clusters

    address, count, index, _ = clusters.ClusterEnv.auto_detect_unset_distributed_params(
        os.environ.get("JAX_COORDINATOR_ADDRESS"), None, None, None, None, int(timeout)
    )
    if address is None or count is None or index is None:
        raise UserError("--distributed=auto: neither Cloud TPU nor Slurm nor Kubernetes say who takes part")
    return ProcessInfo(address, count, index)


def _initialize_jax(connection: Connection) -> None:
    """JAX's own meeting, at a service of the coordinator; what fails there aborts, so its port is tried before."""
    import jax

    place, port = connection.process, connection.port
    try:
        socket.create_connection((place.host, port), coordinator.SILENCE).close()
    except OSError as error:
        cure = "the machines of a run must reach all ports of each other"
        raise UserError(f"cannot reach port {port} of {place.host} ({error.strerror or error}); {cure}") from error
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # used where the devices are CPUs
    jax.distributed.initialize(
        f"{place.address.rpartition(':')[0]}:{port}",
        place.count,
        place.index,
        initialization_timeout=int(TIMEOUT),
        heartbeat_timeout_seconds=coordinator.JAX_SILENCE,
        shutdown_timeout_seconds=coordinator.JAX_FAREWELL,
        coordinator_bind_address="localhost:0",  # process 0 starts a service whatever one says: where nobody comes
    )
    _meet()
    log.info("process %d of %d", place.index, place.count)


def _meet() -> None:
    """The first collectives, while all are at the same place: gloo, the means on CPUs, waits 30 s for these alone.

    Later ones among the same devices wait for whoever is still busy.
    """
    import jax
    import numpy as np
    from jax.experimental import multihost_utils
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    multihost_utils.broadcast_one_to_all(np.zeros(()))  # among the first devices, the second ones, ... of the processes
    split = NamedSharding(Mesh(np.array(jax.devices()), ("all",)), PartitionSpec("all"))
    ones = jax.make_array_from_process_local_data(split, np.ones(jax.local_device_count()))
    jax.block_until_ready(jax.jit(jax.numpy.sum)(ones))  # among all


def _digest() -> str:
    """Of this package's code, which has no version where it is not installed."""
    content = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        content.update(file.read_bytes())
    return content.hexdigest()[:12]


def keep_compilations() -> None:
    """In the user's cache folder, unless JAX has been told of another place.

    Nothing is kept where several CPU devices share a program, whatever the variable says: read back from disk, it runs
    the collectives of its loops beside others, in no fixed order, and devices that meet in different ones wait for
    ever.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    device.require_chosen()  # what compiles starts JAX here
    if jax.default_backend() == "cpu" and jax.device_count() > 1:
        jax.config.update("jax_enable_compilation_cache", False)
        compilation_cache.reset_cache()  # it may be in use since something was compiled
    elif jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(caches / "scan_jax" / "xla"))


# glibc's mallopt(3): memory goes back to the system never, and all of it comes from one heap.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed() -> None:
    """Keeps freed memory for the next step instead of returning it to the system and asking for it again.

    On a CPU every step takes all its memory anew, in pages that the system must clear first. It holds for the whole
    process; call it before JAX starts its threads. It does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    for setting, value in ((_TRIM_THRESHOLD, -1), (_MMAP_MAX, 0), (_ARENA_MAX, 1)):
        library.mallopt(setting, value)


def broadcast_from_zero(text: str) -> str:
    """The text of process 0, of any length, in every process; all must ask."""
    import jax
    import numpy as np
    from jax.experimental.multihost_utils import broadcast_one_to_all

    if jax.process_count() == 1:
        return text
    content = np.frombuffer(text.encode(), np.uint8)
    length = int(broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(length, np.uint8)
    padded[: len(content[:length])] = content[:length]
    return np.asarray(broadcast_one_to_all(padded), np.uint8).tobytes().decode()


def true_on_process_zero(question: Callable[[], bool]) -> bool:
    """Process 0's answer, in every process; all must ask."""
    return broadcast_from_zero(str(question() if is_first() else "")) == str(True)


def everywhere(true_here: bool) -> bool:
    """Whether it is true in every process; all must ask."""
    import jax
    import numpy as np
    from jax.experimental.multihost_utils import process_allgather

    if jax.process_count() == 1:
        return true_here
    return bool(np.asarray(process_allgather(np.int32(true_here))).all())
