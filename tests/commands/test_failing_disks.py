"""A disk that fills up or turns read-only ends the command with one line; with the disk in order it goes on."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_disks import small_disk

from scan_jax import checkpoint_folder

ROOT = Path(__file__).parents[2]
TINY = [
    *("--config=configs/demo.py", "--config.data.size=32", "--config.data.count=16", "--config.data.held_out=3"),
    *("--config.method.width=4", "--config.method.critic_width=4", "--config.method.regions=2"),
    *("--config.method.blocks=1", "--config.method.stages=1", "--config.method.attention=()"),
    *("--config.training.batch_size=4", "--config.training.steps=100000", "--config.training.log_every=1"),
    *("--config.training.checkpoint_every=5", "--config.training.pictures_every=0"),
    *("--config.evaluation.edges=(0.1,0.6)", "--config.evaluation.holes_per_bucket=2"),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("caches"))}


def start(environment, run, checkpoints):
    flags = [*TINY, f"--workdir={run}", f"--config.training.checkpoints={checkpoints}"]
    arguments = [sys.executable, "-m", "scan_jax.main", *flags]
    return subprocess.Popen(arguments, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for(process, happened):
    deadline = time.monotonic() + 200
    while not happened():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


@contextlib.contextmanager
def full(disk):
    """Without room, then with room."""
    fillers = disk.fill()
    yield
    for path in fillers:
        path.unlink()


@contextlib.contextmanager
def read_only(disk):
    disk.remount("ro")
    yield
    disk.remount("rw")


@pytest.mark.parametrize("place", ["run/checkpoints", "elsewhere"])
@pytest.mark.parametrize(
    ("accident", "reason"), [(full, r"is full|No space left"), (read_only, "Read-only file system")]
)
def test_the_command_ends_with_one_line_and_later_goes_on(environment, tmp_path, place, accident, reason):
    with small_disk(tmp_path / "disk", "size=40m", pytest.skip) as disk:
        checkpoints = disk.folder / place
        arguments = (disk.folder / "run", "") if place == "run/checkpoints" else (tmp_path / "run", checkpoints)

        def steps():
            return checkpoint_folder.committed_steps(checkpoints)

        process = start(environment, *arguments)
        wait_for(process, lambda: len(steps()) > 1)
        process.send_signal(signal.SIGSTOP)  # or it would delete checkpoints meanwhile, and find room
        with accident(disk):
            process.send_signal(signal.SIGCONT)
            _, log = process.communicate(timeout=100)
            last = log.strip().splitlines()[-1]
            assert process.returncode == 1 and last.startswith("error: ") and re.search(reason, last), log
            good = steps()
            assert good
        process = start(environment, *arguments)
        wait_for(process, lambda: steps()[0] > good[0])
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=100)
        assert process.returncode == 0 and f"going on from step {good[0]}" in log, log
