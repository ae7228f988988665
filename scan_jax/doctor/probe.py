"""What JAX makes of the machine, asked in another process: a JAX that crashes or hangs is one line here."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import scan_jax

LOG_CHARACTERS = 4000
BACKEND_VALUES = ("platform", "platform_version", "processes", "compilations", "failure")
SIZE, CHANNELS = 16, 8
# A 3x3 convolution of ones under zero padding: 3 taps a position, less one at either end, in each direction.
EXPECTED = CHANNELS**2 * (3 * SIZE - 2) ** 2


@dataclasses.dataclass(frozen=True)
class Device:
    """One of JAX's; memory in bytes, None where the backend does not tell."""

    id: int  # its number
    kind: str  # such as "NVIDIA H200" or "TPU v5 lite"
    platform: str  # "cpu", "gpu" or "tpu"
    memory_limit: int | None = None  # that JAX may take of its memory
    memory_used: int | None = None  # of that, by this process
    first_seconds: float | None = None  # of a small convolution with compiling; None where it did not end
    next_seconds: float | None = None  # of the same once compiled
    right: bool = False  # whether its result was


@dataclasses.dataclass(frozen=True)
class Backend:
    """JAX as it started here."""

    platform: str = ""  # the default one; empty where JAX does not start
    platform_version: str = ""  # as the backend has it, such as the CUDA version
    processes: int = 0  # that JAX counts
    devices: tuple[Device, ...] = ()  # of this process
    compilations: str = ""  # folder where compiled programs are kept
    failure: str = ""  # why JAX did not start, or a device did not compute, in one line; empty where all went well
    log: str = ""  # the end of what JAX wrote to stderr

    @property
    def complaint(self) -> str:
        """The last line of the log that speaks of something gone wrong."""
        wrong = [line.strip() for line in self.log.splitlines() if re.search("error|unable|fail", line, re.IGNORECASE)]
        return wrong[-1] if wrong else ""


def find_backend(time_limit: float) -> Backend:
    """JAX's devices, each after it computed; `time_limit` is in seconds, for all of it."""
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
    crashed = f"crashed with {signal.Signals(-done.returncode).name}" if done.returncode < 0 else ""
    return read(done.stdout, done.stderr, crashed or f"ended with exit code {done.returncode}" * bool(done.returncode))


def read(output: bytes, log: bytes, end: str) -> Backend:
    """What the probe printed among what libraries print; its own word on how it ended goes before `end`."""
    values: dict[str, Any] = {"failure": end}
    devices: dict[int, dict[str, Any]] = {}
    for line in output.decode(errors="replace").splitlines():
        try:
            printed = json.loads(line) if line.startswith('{"') else {}
        except ValueError:  # not the probe's, or cut short
            continue
        if part := printed.pop("device", None):
            devices[part["id"]] = devices.get(part["id"], {}) | part
        values |= {key: value for key, value in printed.items() if key in BACKEND_VALUES}
    text = log.decode(errors="replace").strip()[-LOG_CHARACTERS:]
    return Backend(**values, devices=tuple(Device(**device) for device in devices.values()), log=text)


def main() -> None:
    """In the other process: what JAX found, then how each device computed; one JSON a line."""
    import jax

    from scan_jax.core.distributed import keep_compilations

    keep_compilations()
    folder = jax.config.values["jax_compilation_cache_dir"] or ""
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is part of what must work
    devices = jax.local_devices()
    version = " ".join(str(devices[0].client.platform_version).split())
    show(platform=jax.default_backend(), platform_version=version, compilations=folder, processes=jax.process_count())
    for device in devices:
        stats = device.memory_stats() or {}  # the CPU's backend has none
        memory = {"memory_limit": stats.get("bytes_limit"), "memory_used": stats.get("bytes_in_use")}
        show(device={"id": device.id, "kind": device.device_kind, "platform": device.platform} | memory)
    for device in devices:
        show(device={"id": device.id} | compute(device))


def compute(device: Any) -> dict[str, Any]:
    """A convolution (which on a GPU needs cuDNN), its exact sum, and the seconds with and without compiling."""
    import jax
    import jax.numpy as jnp

    image = jax.device_put(jnp.ones((1, SIZE, SIZE, CHANNELS)), device)  # [1,16,16,8]
    kernel = jax.device_put(jnp.ones((3, 3, CHANNELS, CHANNELS)), device)  # [3,3,8,8]
    layout = ("NHWC", "HWIO", "NHWC")

    @jax.jit
    def total(image: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=layout).sum()  # []

    start = time.perf_counter()
    result = float(total(image, kernel))
    compiled = time.perf_counter()
    float(total(image, kernel))
    seconds = {"first_seconds": compiled - start, "next_seconds": time.perf_counter() - compiled}
    return seconds | {"right": result == EXPECTED}


def show(**values: Any) -> None:
    """Flushed, so that what was found is known even where the next thing crashes."""
    print(json.dumps(values), flush=True)


def show_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The error in one line; where it came from goes to stderr."""
    said = str(error).strip().splitlines()
    show(failure=": ".join([kind.__name__, *said[:1]]))
    sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    sys.excepthook = show_failure
    main()
