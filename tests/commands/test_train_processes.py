"""Two and four processes train one network: the losses of one process on the same batches, one folder, one end."""

import os
import signal
import time

import numpy as np
import pytest
from process_groups import environment, errors, finish, free_address, start, start_group, until
from run_comparison import checkpoint_steps, scalars
from tiny_demo import DEMO, TINY, overrides

pytestmark = pytest.mark.slow
# Five held-out photographs, measured in fours: the last one divides among nobody. The slope of an attention's gate
# would divide by standard deviations that begin near 0, and make hundred-thousandths of what is rounded in them;
# tests/methods/test_devices.py compares networks with attention, when they are so no more.
QUICK = ["-m", "scan_jax.main", DEMO, *TINY]
QUICK += overrides("data.held_out=5 training.batch_size=4 training.pictures_every=0 training.steps=4")
# Adam divides by gradients: where these are rounded otherwise, it takes other steps.
OPTIMIZERS = [
    f"--config.training.optimizers.{update}.{setting}"
    for update in ("generator", "critic")
    for setting in ("algorithm=sgd", "learning_rate=0.05", "schedule=constant", "warmup=0", "clip=0.0")
]
COMPARED = [*QUICK, *OPTIMIZERS]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def alone(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    finish([start([*COMPARED, f"--workdir={folder}"], environment(cache))])
    return folder


def timeless(folder):
    kept = ("step", "term", "loss", "grad", "eval")
    return [{k: v for k, v in line.items() if k.startswith(kept)} for line in scalars(folder)]


def steps_saved(folder):
    return checkpoint_steps(folder)[0]


@pytest.mark.parametrize(("processes", "devices"), [(2, 2), (4, 1)])
def test_several_processes_learn_what_one_learns(processes, devices, alone, cache, tmp_path):
    logs = finish(start_group(processes, [*COMPARED, f"--workdir={tmp_path}"], environment(cache, devices)))
    ours, theirs = timeless(tmp_path), timeless(alone)
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
    words = [*QUICK, *overrides("training.steps=60 training.checkpoint_every=5"), f"--workdir={tmp_path}"]
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
    words = [*QUICK, *overrides("training.steps=5000 training.checkpoint_every=5000"), f"--workdir={tmp_path}"]
    processes = start_group(2, words, environment(cache))
    until(lambda: scalars(tmp_path), processes)
    processes[1].send_signal(signal.SIGTERM)
    logs = finish(processes)
    assert all("saving after step" in log for log in logs)
    (step,) = steps_saved(tmp_path)
    assert 0 < step < 5000
    assert scalars(tmp_path)[-1]["step"] == step


def test_configs_that_differ_from_another_or_from_the_runs_are_refused_by_all(alone, cache, tmp_path):
    address = free_address()
    own = [(f"--config.training.batch_size={4 + 4 * i}", f"--distributed={address},2,{i}") for i in range(2)]
    words = [*COMPARED, f"--workdir={tmp_path / 'run'}"]
    for log in finish([start([*words, *one], environment(cache)) for one in own], 1):
        (error,) = errors(log)
        assert error.startswith("error: config: process 1 (host ")
        assert error.endswith("has training.batch_size = 8, process 0 has 4")
    assert not (tmp_path / "run").exists()
    for log in finish(start_group(2, [*COMPARED, "--config.seed=1", f"--workdir={alone}"], environment(cache)), 1):
        (error,) = errors(log)
        assert "belongs to another config (seed: 0 -> 1)" in error
