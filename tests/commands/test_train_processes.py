"""Two processes train one network: the same losses as one process on the same batches, one folder, one end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TINY = [
    "--config=configs/demo.py",
    "--config.data.size=32",
    "--config.data.count=16",
    "--config.data.held_out=3",
    "--config.method.width=4",
    "--config.method.critic_width=4",
    "--config.method.regions=2",
    "--config.method.blocks=1",
    "--config.training.batch_size=4",
    "--config.training.log_every=1",
    "--config.training.checkpoint_every=100",
    "--config.training.pictures_every=100",
    "--config.training.optimizers.generator.b1=0.0",
    "--config.evaluation.edges=(0.1,0.3,0.6)",
    "--config.evaluation.holes_per_bucket=2",
    "--config.evaluation.batch_size=4",
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Two virtual devices in each process, and a compilation cache that all share."""
    flags = "--xla_force_host_platform_device_count=2"
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": flags,
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("c")),
    }


def start(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "scan_jax.main", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(environment, *arguments):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    return [start(environment, *arguments, f"--distributed={address},2,{index}") for index in range(2)]


def finish(processes, code=0):
    """Everybody's log."""
    logs = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), "\n".join(logs)
    return logs


def scalars(folder):
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k.startswith(("step", "term", "loss", "grad", "eval"))} for line in lines]


@pytest.fixture(scope="module")
def together(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together") / "run"
    logs = finish(start_two(environment, *TINY, "--config.training.steps=4", f"--workdir={folder}"))
    return folder, logs


def test_two_processes_learn_what_one_learns(together, environment, tmp_path):
    folder, logs = together
    assert "process 0 of 2" in logs[0] and "process 1 of 2" in logs[1]
    finish([start(environment, *TINY, "--config.training.steps=4", f"--workdir={tmp_path}")])
    ours, alone = scalars(folder), scalars(tmp_path)
    assert [line["step"] for line in ours] == [line["step"] for line in alone]
    for one, other in zip(ours, alone):
        assert one.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_allclose(one[name], value, rtol=1e-4, atol=1e-6, err_msg=f"{name} at step {one['step']}")
    for name in ("config.json", "data.json", "losses.png", "psnr.png", "pictures/0000004.png"):
        assert (folder / name).is_file()
    assert not [path.name for path in folder.rglob("*.part")]


def test_one_process_goes_on_where_two_stopped(together, environment):
    folder, _ = together
    (log,) = finish([start(environment, *TINY, "--config.training.steps=4", f"--workdir={folder}")])
    assert "all 4 steps are done" in log


def test_sigterm_to_one_saves_in_all(environment, tmp_path):
    processes = start_two(environment, *TINY, "--config.training.steps=2000", f"--workdir={tmp_path}")
    deadline = time.monotonic() + 200
    while not (tmp_path / "scalars.jsonl").exists() or not (tmp_path / "scalars.jsonl").read_text():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)
    logs = finish(processes)
    assert all("saving after step" in log for log in logs)
    (step,) = (int(path.name) for path in (tmp_path / "checkpoints").iterdir() if path.name.isdigit())
    assert 0 < step < 2000
    assert scalars(tmp_path)[-1]["step"] == step


def test_a_config_of_another_run_is_refused_by_all(together, environment):
    folder, _ = together
    logs = finish(
        start_two(environment, *TINY, "--config.training.steps=4", "--config.seed=1", f"--workdir={folder}"), 1
    )
    assert all("belongs to another config (seed: 0 -> 1)" in log for log in logs)
