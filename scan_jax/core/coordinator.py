"""The coordinator of a run: a process beside process 0 that the others do not wait for and that does not die with it.

It holds one TCP connection to each process. The kernel closes the connection of a process that ends, however it ends,
so the others learn of it at once and by name, be they computing, compiling or waiting for each other in a collective
that never returns. JAX by itself would leave or abort them.

Started by `connection.connect`. It hosts JAX's coordination service, too: were that within process 0, JAX would abort
all the others the moment process 0 dies, before any of them could say why.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

# Kinds of messages of a process,
HELLO, AGREE, DONE, ENDED = "hello", "agree", "done", "ended"
# and of the coordinator.
WELCOME, BUSY, STOP, AGREED, ALL_DONE = "welcome", "busy", "stop", "agreed", "all_done"

LONGEST = 2**20  # bytes of a message
SILENCE = 25  # seconds after which a machine that answers nothing, not even its kernel, counts as gone
JAX_SILENCE, JAX_FAREWELL = 300, 60  # JAX's own limits: slower, so that they never come first
_PROBES = 5  # of the kernel's in that time

GRACE = 2.0  # seconds after an error in which the others may find out the same by themselves
NAMED = 3  # differences that a message names
BACKLOG = 1024  # processes that may come in the same moment
SAME = "give all the same address and count, and each an index of its own from 0"

_service: Any = None  # JAX's, which lives as long as it is referred to


def encode(kind: str, **content: Any) -> bytes:
    """One line."""
    return json.dumps([kind, content]).encode() + b"\n"


def decode(line: bytes) -> tuple[str, dict[str, Any]]:
    """Kind and content; an empty kind where something else than a process of a run or its coordinator is talking."""
    try:
        kind, content = json.loads(line)
    except (ValueError, TypeError):
        return "", {}
    return (kind, content) if isinstance(kind, str) and isinstance(content, dict) else ("", {})


def notice_death(connection: socket.socket) -> None:
    """Has the kernel ask the other machine whether it is there, and give the connection up after `SILENCE`.

    The kernels do this among themselves, so a process that is busy, or stopped for a while, is not taken for dead.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", SILENCE // _PROBES),
        ("TCP_KEEPINTVL", SILENCE // _PROBES),
        ("TCP_KEEPCNT", _PROBES - 1),
        ("TCP_USER_TIMEOUT", SILENCE * 1000),  # ms
    ):
        if hasattr(socket, name):  # Linux has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@dataclasses.dataclass
class Process:
    """A process that came."""

    index: int  # from 0
    count: int  # of processes, as this one was told
    host: str  # the name of its machine
    pid: int  # its number there
    writer: asyncio.StreamWriter  # the connection to it
    left: bool = False  # whether its end is no surprise any more

    def __str__(self) -> str:
        return f"process {self.index} (host {self.host}, pid {self.pid})"


class Coordinator:
    """Gathers the processes of a run, lets them agree, and tells all others when one ends before its time."""

    def __init__(self, address: str, count: int, timeout: float, start_service: Callable[[int], int]) -> None:
        """Knows nobody yet; `address`, for people, is where it waits for `count` processes, `timeout` seconds at most.

        `start_service` starts what they need besides, for so many; it returns its port.
        """
        self._address, self._count, self._timeout, self._start_service = address, count, timeout, start_service
        self._members: dict[int, Process] = {}
        self._values: dict[str, dict[int, Mapping[str, str]]] = {}  # by what, and by process
        self._done: set[int] = set()
        self._verdict = ""
        self._open = 0
        self._first_came = asyncio.Event()  # the process 0 that started this, or what ended the run before
        self._over = asyncio.Event()

    async def serve(self, listener: socket.socket) -> None:
        """Until all have gone, or nobody came."""
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._timeout, self._miss)
        async with await asyncio.start_server(self._attend, sock=listener, limit=LONGEST, backlog=BACKLOG):
            await self._over.wait()
        late.cancel()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first line to its end."""
        notice_death(writer.get_extra_info("socket"))
        self._open += 1
        try:
            line = await asyncio.wait_for(_read(reader), self._timeout)
            member = await self._admit(line, writer)
            while member is not None and (line := await _read(reader)):
                self._hear(member, *decode(line))
            if member is not None:
                self._lose(member, "has died")
        except OSError:  # the kernel gave up; or a program says nothing
            if member := next((one for one in self._members.values() if one.writer is writer), None):
                self._lose(member, "does not answer any more")
        finally:
            writer.close()
            self._open -= 1
            if not self._open and (self._verdict or len(self._members) == self._count):
                self._over.set()

    async def _admit(self, line: bytes, writer: asyncio.StreamWriter) -> Process | None:
        """Whoever says hello, if it belongs here, process 0 before others; once all are here, they are welcomed."""
        kind, content = decode(line)
        if kind != HELLO:
            return None
        process = Process(**content, writer=writer)
        if process.index:
            await self._first_came.wait()
        if len(self._members) == self._count or self._verdict:
            text = self._verdict or f"all {self._count} processes of a run are at {self._address} already"
            writer.write(encode(BUSY, text=text))
            return None
        if wrong := self._misfit(process):
            self._stop(wrong)
            writer.write(encode(STOP, text=wrong))
            return None
        self._members[process.index] = process
        self._first_came.set()
        if len(self._members) == self._count:
            try:
                self._send_all(WELCOME, port=self._start_service(self._count))
            except (ImportError, OSError, RuntimeError) as error:
                self._stop(f"cannot start JAX's coordination service: {error}")
        return process

    def _misfit(self, process: Process) -> str:
        """What is wrong with a newcomer, or nothing."""
        other = self._members.get(process.index)
        if process.count != self._count:
            return f"{process} was told of {process.count} processes, process 0 of {self._count}; {SAME}"
        return f"{other} and {process} were given the same index; {SAME}" if other else ""

    def _hear(self, member: Process, kind: str, content: Mapping[str, Any]) -> None:
        """A message of a process."""
        if kind == AGREE:
            self._compare(member.index, **content)
        elif kind == DONE:
            member.left = True
            self._done.add(member.index)
            if len(self._done) == self._count:
                self._send_all(ALL_DONE)
        elif kind == ENDED:
            member.left = True
            text = f"{member} has ended: {content['text']}"
            asyncio.get_running_loop().call_later(GRACE, self._stop, text)

    def _compare(self, index: int, what: str, values: Mapping[str, str]) -> None:
        """What one process has; when all have told theirs, all are told whether it is the same."""
        told = self._values.setdefault(what, {})
        told[index] = values
        if len(told) < self._count:
            return
        del self._values[what]
        odd = next((i for i in sorted(told) if told[i] != told[0]), None)
        complaint = "" if odd is None else f"{what}: {self._members[odd]} has {_differences(told[odd], told[0])}"
        self._send_all(AGREED, complaint=complaint)

    def _miss(self) -> None:
        """Time is up: somebody has not come, or all is well."""
        missing = [str(index) for index in range(self._count) if index not in self._members]
        if missing:
            here = ", ".join(str(member) for member in self._members.values()) or "nobody"
            plural = "process" if len(missing) == 1 else "processes"
            self._stop(
                f"{plural} {', '.join(missing)} of {self._count} did not come to {self._address} within "
                f"{self._timeout:g} s; {here} did"
            )

    def _lose(self, member: Process, how: str) -> None:
        """A connection has ended."""
        if not member.left:
            self._stop(f"{member} {how}; start all again, the run goes on from its last checkpoint")
        member.left = True

    def _stop(self, text: str) -> None:
        """Ends all processes, once."""
        if not self._verdict and len(self._done) < self._count:
            self._verdict = text
            self._first_came.set()
            self._send_all(STOP, text=text)
            if not self._open:
                self._over.set()

    def _send_all(self, kind: str, **content: Any) -> None:
        for member in self._members.values():
            member.writer.write(encode(kind, **content))


async def _read(reader: asyncio.StreamReader) -> bytes:
    """The next line; nothing at the end, also where it is a broken one."""
    try:
        return await reader.readline()
    except (ConnectionError, ValueError):  # reset as its process was killed; longer than any message
        return b""


def _differences(values: Mapping[str, str], first: Mapping[str, str]) -> str:
    """Such as "size = 32, process 0 has 64"; of those who differ."""
    keys = [key for key in [*first, *(key for key in values if key not in first)] if values.get(key) != first.get(key)]
    named = [f"{key} = {values.get(key, 'none')}, process 0 has {first.get(key, 'none')}" for key in keys[:NAMED]]
    return "; ".join([*named, *([f"{len(keys) - NAMED} more"] if len(keys) > NAMED else [])])


def _start_service(count: int) -> int:
    """JAX's coordination service, where its clients meet; its port.

    JAX has no public way to start it outside process 0.
    """
    from jaxlib import _jax

    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    global _service
    _service = _jax.get_distributed_runtime_service(
        f"[::]:{port}", count, heartbeat_timeout=JAX_SILENCE, shutdown_timeout=JAX_FAREWELL
    )
    return port


def main(listener: int, address: str, count: int, timeout: float) -> None:
    """Serves on an open socket."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they mean the run; the coordinator goes when that has gone
    asyncio.run(Coordinator(address, count, timeout, _start_service).serve(socket.socket(fileno=listener)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
