"""What the hub and the processes of a run say to each other: lines of JSON over TCP, each beginning with its kind."""

from __future__ import annotations

import dataclasses
import json
import socket
from typing import Any

# Kinds of messages of a process,
HELLO, AGREE, DONE, ENDED = "hello", "agree", "done", "ended"
# and of the hub.
WELCOME, BUSY, STOP, AGREED, ALL_DONE = "welcome", "busy", "stop", "agreed", "all_done"

LONGEST = 2**20  # bytes of a message
SILENCE = 25  # seconds after which a machine that answers nothing, not even its kernel, counts as gone
JAX_SILENCE, JAX_FAREWELL = 300, 60  # JAX's own limits: slower, so that they never come first
_PROBES = 5  # of the kernel's in that time


@dataclasses.dataclass(frozen=True)
class Peer:
    """One process of a run.

    Attributes:
      index: from 0.
      count: of processes, as this one was told.
      host: the name of its machine.
      pid: its number there.
    """

    index: int
    count: int
    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.index} (host {self.host}, pid {self.pid})"


def encode(kind: str, **content: Any) -> bytes:
    """One line."""
    return json.dumps([kind, content]).encode() + b"\n"


def decode(line: bytes) -> tuple[str, dict[str, Any]]:
    """Kind and content; an empty kind where something else than a process of a run or its hub is talking."""
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
