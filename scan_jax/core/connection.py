"""A process' connection to the coordinator of its run."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from scan_jax.core import coordinator
from scan_jax.core.errors import UserError

_RETRY = 0.2  # seconds between two tries to reach the coordinator
_SLACK = 10  # seconds in which the coordinator may say that it has waited in vain


@dataclasses.dataclass(frozen=True)
class ProcessInfo:
    """Which process of a run this is."""

    address: str  # HOST:PORT, where the coordinator listens, on the machine of process 0
    count: int  # of processes
    index: int  # of this one

    @property
    def host(self) -> str:
        """Of process 0."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Of the coordinator."""
        return int(self.address.rpartition(":")[2])


class Connection:
    """Open from the start of a run to its end; a thread listens and ends this process when told to."""

    def __init__(self, process: ProcessInfo, stream: socket.socket, lines: BinaryIO, port: int) -> None:
        """Begins to listen to `lines`; `port` is that of JAX's coordination service, on the coordinator's host."""
        self.process, self.port = process, port
        self._stream, self._lines = stream, lines
        self._agreed: queue.Queue[str] = queue.Queue()
        self._all_done = threading.Event()
        threading.Thread(target=self._listen, name="peers", daemon=True).start()

    def agree(self, what: str, values: Mapping[str, str]) -> None:
        """Compares `values` with those of the others, who must ask, too; in all a UserError where one differs."""
        self._send(coordinator.AGREE, what=what, values=dict(values))
        if complaint := self._agreed.get():
            raise UserError(complaint)

    def finish(self) -> None:
        """Says that this process has done its part, and waits until all have."""
        self._send(coordinator.DONE)
        self._all_done.wait()

    def leave(self, why: str) -> None:
        """Says that this process ends before its time; then it must."""
        self._send(coordinator.ENDED, text=why)

    def _send(self, kind: str, **content: Any) -> None:
        try:
            self._stream.sendall(coordinator.encode(kind, **content))
        except OSError:
            self._lost()

    def _listen(self) -> None:
        """Until all are done; a thread that listened on would be in the way of Python's end."""
        with contextlib.suppress(OSError):  # as good as an end
            for line in self._lines:
                self._hear(*coordinator.decode(line))
                if self._all_done.is_set():
                    return
        self._lost()

    def _hear(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == coordinator.STOP:
            end(f"error: {content['text']}", 1)
        elif kind == coordinator.AGREED:
            self._agreed.put(content["complaint"])
        elif kind == coordinator.ALL_DONE:
            self._all_done.set()

    def _lost(self) -> None:
        """The coordinator is gone, and with it, as a rule, its machine."""
        end(
            f"error: process 0 or its machine ({self.process.address}) does not answer any more; start all again, the "
            "run goes on from its last checkpoint",
            1,
        )


def connect(process: ProcessInfo, timeout: float) -> Connection:
    """Waits until all processes of the run are there, `timeout` seconds at most; process 0 starts the coordinator.

    UserError where process 0 does not answer, others do not come, or they were told something else than this one.
    """
    deadline, reason, told = time.monotonic() + timeout, "", ""
    started = process.index != 0
    while time.monotonic() < deadline:
        try:
            started = started or _start_coordinator(process, timeout)
            answer = _call(process, timeout)
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            if isinstance(answer, Connection):
                return answer
            reason, told = "another program answers there", answer or told
        time.sleep(_RETRY)
    raise UserError(
        f"process 0 does not answer at {process.address} within {timeout:g} s ({told or reason}); check that it runs, "
        "that all are given its address, and that no firewall is between them"
    )


def _call(process: ProcessInfo, timeout: float) -> Connection | str:
    """The connection, once the others are there; else what another run's coordinator says, or "" of another program."""
    me = {"index": process.index, "count": process.count, "host": socket.gethostname(), "pid": os.getpid()}
    with contextlib.ExitStack() as opened:
        stream = opened.enter_context(socket.create_connection((process.host, process.port), _SLACK))
        coordinator.notice_death(stream)
        stream.settimeout(timeout + _SLACK)
        stream.sendall(coordinator.encode(coordinator.HELLO, **me))
        lines = opened.enter_context(stream.makefile("rb"))
        kind, content = coordinator.decode(lines.readline())
        if kind == coordinator.STOP:
            raise UserError(content["text"])
        if kind != coordinator.WELCOME:
            return content["text"] if kind == coordinator.BUSY else ""
        stream.settimeout(None)
        opened.pop_all()
    return Connection(process, stream, lines, content["port"])


def _start_coordinator(process: ProcessInfo, timeout: float) -> bool:
    """Starts it on this machine; False where something else, perhaps another coordinator, listens at its port."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listener = socket.create_server(("", process.port), family=family, dualstack_ipv6=both)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise UserError(f"cannot listen at port {process.port}: {error.strerror}; choose one above 1023") from error
        return False
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    arguments = [str(listener.fileno()), process.address, str(process.count), str(timeout)]
    with listener:  # the coordinator has it now, and nobody was turned away meanwhile
        _coordinators.append(
            subprocess.Popen(
                [sys.executable, "-m", "scan_jax.core.coordinator", *arguments],
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
    return True


_coordinators: list[subprocess.Popen[bytes]] = []  # referred to, as they outlive the call
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
