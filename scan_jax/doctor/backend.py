"""What JAX makes of the machine, asked in another process: a JAX that crashes or hangs is one line here."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import scan_jax

LOG_CHARACTERS = 4000
TOLD = ("platform", "platform_version", "processes", "compilations", "failure")


@dataclasses.dataclass(frozen=True)
class Device:
    """One of JAX's; memory in bytes, None where the backend does not tell.

    Attributes:
      id: its number.
      kind: such as "NVIDIA H200" or "TPU v5 lite".
      platform: "cpu", "gpu" or "tpu".
      memory_limit: that JAX may take of its memory.
      memory_used: of that, by this process.
      first_seconds: of a small convolution with compiling; None where it did not end.
      next_seconds: of the same once compiled.
      right: whether its result was.
    """

    id: int
    kind: str
    platform: str
    memory_limit: int | None = None
    memory_used: int | None = None
    first_seconds: float | None = None
    next_seconds: float | None = None
    right: bool = False


@dataclasses.dataclass(frozen=True)
class Backend:
    """JAX as it started here.

    Attributes:
      platform: the default one; empty where JAX does not start.
      platform_version: as the backend has it, such as the CUDA version.
      processes: that JAX counts.
      devices: of this process.
      compilations: folder where compiled programs are kept.
      failure: why JAX did not start, or a device did not compute, in one line; empty where all went well.
      log: the end of what JAX wrote to stderr.
    """

    platform: str = ""
    platform_version: str = ""
    processes: int = 0
    devices: tuple[Device, ...] = ()
    compilations: str = ""
    failure: str = ""
    log: str = ""

    @property
    def complaint(self) -> str:
        """The last line of the log that speaks of something gone wrong."""
        wrong = [line.strip() for line in self.log.splitlines() if re.search("error|unable|fail", line, re.IGNORECASE)]
        return wrong[-1] if wrong else ""


def look(time_limit: float) -> Backend:
    """JAX's devices, each after it computed.

    Args:
      time_limit: in seconds, for all of it.
    """
    here = [str(Path(scan_jax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    # A training run that holds most of a GPU's memory is no reason to fail.
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(here), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "scan_jax.doctor.probe"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=time_limit, env=environ)
    except subprocess.TimeoutExpired as late:
        return read(late.stdout or b"", late.stderr or b"", f"no answer within {time_limit:g} s")
    except OSError as error:
        return Backend(failure=f"cannot start {sys.executable}: {error.strerror or error}")
    return read(done.stdout, done.stderr, _end(done.returncode))


def read(output: bytes, log: bytes, end: str) -> Backend:
    """What the probe told before its end.

    Args:
      output: lines of JSON, among which libraries may print what they like.
      log: its stderr.
      end: how it ended if not well; the probe's own word on that goes first.
    """
    told: dict[str, Any] = {}
    devices: dict[int, dict[str, Any]] = {}
    for line in filter(None, map(_parse, output.decode(errors="replace").splitlines())):
        for part in (line.pop("device", None), line.pop("computed", None)):
            if part:
                devices[part["id"]] = devices.get(part["id"], {}) | part
        told |= line
    known = {"failure": end} | {key: value for key, value in told.items() if key in TOLD}
    text = log.decode(errors="replace").strip()[-LOG_CHARACTERS:]
    return Backend(**known, devices=tuple(Device(**device) for device in devices.values()), log=text)


def _parse(line: str) -> dict[str, Any]:
    """Empty where it is not the probe's."""
    if not line.startswith('{"'):
        return {}
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _end(code: int) -> str:
    """Empty for a good one."""
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""
