"""Two and four processes train one network: the losses of one process on the same batches, one folder, one end."""

import json
import os
import signal
import time

import numpy as np
import pytest
from process_groups import PATIENCE, environment, errors, finish, free_address, start, start_group

SETTINGS = [
    *("-m", "scan_jax.main", "--config=configs/demo.py"),
    "--config.data.size=32",
    "--config.data.count=16",
    "--config.data.held_out=5",  # in batches of 4: the last one divides among nobody
    "--config.method.width=4",
    "--config.method.critic_width=4",
    "--config.method.regions=2",
    "--config.method.blocks=1",
    "--config.training.batch_size=4",
    "--config.training.log_every=1",
    "--config.training.pictures_every=0",
    "--config.evaluation.edges=(0.1,0.3,0.6)",
    "--config.evaluation.holes_per_bucket=2",
    "--config.evaluation.batch_size=4",
]
# Adam divides by gradients: where these are rounded otherwise, it takes other steps.
OPTIMIZERS = [
    f"--config.training.optimizers.{turn}.{setting}"
    for turn in ("generator", "critic")
    for setting in ("algorithm=sgd", "learning_rate=0.05", "schedule=constant", "warmup=0", "clip=0.0")
]
# The slope of an attention's gate divides by standard deviations that begin near 0, and makes hundred-thousandths of
# what is rounded in them. tests/methods/test_devices.py compares networks with attention, when they are so no more.
QUICK = [*SETTINGS, "--config.method.attention=()"]
COMPARED = [*QUICK, *OPTIMIZERS, "--config.training.steps=4"]
PLACES = {1: 1, 2: 2, 4: 1}  # processes, and devices in each


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def scalars(folder):
    """By step; without times."""
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k.startswith(("step", "term", "loss", "grad", "eval"))} for line in lines]


def steps_saved(folder):
    return sorted(int(path.parent.name) for path in folder.glob("checkpoints/*/commit_success.txt"))


def run_of(processes, folder, cache):
    words = [*COMPARED, f"--workdir={folder}"]
    there = environment(cache, PLACES[processes])
    return finish(start_group(processes, words, there) if processes > 1 else [start(words, there)])


@pytest.fixture(scope="module")
def alone(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    run_of(1, folder, cache)
    return folder


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_learn_what_one_learns(processes, alone, cache, tmp_path):
    logs = run_of(processes, tmp_path, cache)
    ours, theirs = scalars(tmp_path), scalars(alone)
    assert [line["step"] for line in ours] == [line["step"] for line in theirs] and len(theirs) >= 4
    for one, other in zip(ours, theirs):
        assert one.keys() == other.keys()
        for name, value in other.items():
            message = f"{name} at step {one['step']}"
            tolerance = 1e-3 if name.startswith("eval/") else 1e-5  # what is measured was rounded to bytes before
            np.testing.assert_allclose(one[name], value, rtol=tolerance, atol=1e-6, err_msg=message)
    assert [f"process {index} of {processes}" in log for index, log in enumerate(logs)] == [True] * processes
    assert "4/4 [" in logs[0] and not any("4/4 [" in log for log in logs[1:]), "one progress bar"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in alone.iterdir()}
    assert not list(tmp_path.rglob("*.part"))


def test_a_killed_run_goes_on_on_one_process(cache, tmp_path):
    words = [*QUICK, "--config.training.steps=60", "--config.training.checkpoint_every=5", f"--workdir={tmp_path}"]
    processes = start_group(2, words, environment(cache))
    until(lambda: steps_saved(tmp_path), processes)
    os.kill(processes[1].pid, signal.SIGKILL)
    before = time.monotonic()
    (log,) = finish(processes[:1], 1)
    assert time.monotonic() - before < 30
    (error,) = errors(log)
    assert "process 1 (host " in error and f"pid {processes[1].pid}) has died" in error
    finish(processes[1:], -signal.SIGKILL)
    newest = steps_saved(tmp_path)[-1]
    (log,) = finish([start(words, environment(cache))])
    assert f"going on from step {newest}" in log
    assert [line["step"] for line in scalars(tmp_path) if "loss/generator" in line] == list(range(1, 61))


def test_sigterm_to_one_saves_in_all(cache, tmp_path):
    words = [*QUICK, "--config.training.steps=5000", "--config.training.checkpoint_every=5000"]
    processes = start_group(2, [*words, f"--workdir={tmp_path}"], environment(cache))
    written = tmp_path / "scalars.jsonl"
    until(lambda: written.exists() and written.read_text(), processes)
    processes[1].send_signal(signal.SIGTERM)
    logs = finish(processes)
    assert all("saving after step" in log for log in logs)
    (step,) = steps_saved(tmp_path)
    assert 0 < step < 5000
    assert scalars(tmp_path)[-1]["step"] == step


def test_configs_that_differ_are_refused_by_all(cache, tmp_path):
    address = free_address()
    words = [*COMPARED, f"--workdir={tmp_path / 'run'}"]
    own = [(f"--config.training.batch_size={4 + 4 * i}", f"--distributed={address},2,{i}") for i in range(2)]
    logs = finish([start([*words, *one], environment(cache)) for one in own], 1)
    for log in logs:
        (error,) = errors(log)
        assert error.startswith("error: config: process 1 (host ")
        assert error.endswith("has training.batch_size = 8, process 0 has 4")
    assert not (tmp_path / "run").exists()


def test_a_config_of_another_run_is_refused_by_all(alone, cache):
    logs = finish(start_group(2, [*COMPARED, "--config.seed=1", f"--workdir={alone}"], environment(cache)), 1)
    for log in logs:
        (error,) = errors(log)
        assert "belongs to another config (seed: 0 -> 1)" in error


def until(reached, processes):
    """Waits for something that the processes do."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.05)
