"""Several processes of one run, on this machine: how tests start them and read what they said."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 280  # seconds that a slow machine may take


def environment(cache, devices=1):
    """With so many virtual devices in each process; compiled in little time, and never read from another's cache."""
    return {
        **{name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name},
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": str(ROOT),
    }


def free_address():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def start(words, environment, stdout=subprocess.DEVNULL):
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)


def start_group(count, words, environment):
    """The same words in each, and where it is to join the others."""
    address = free_address()
    return [start([*words, f"--distributed={address},{count},{index}"], environment) for index in range(count)]


def finish(processes, code=0):
    """Everybody's stderr, once all have ended with `code`."""
    logs = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), "\n\n".join(logs)
    return logs


def until(reached, processes):
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.05)


def errors(log):
    """The lines that tell the user what is wrong; there must be nothing like a traceback beside them."""
    assert "Traceback" not in log and "Check failure" not in log, log
    return [line for line in log.splitlines() if line.startswith("error: ")]
