"""What is read of a run folder: the moving average, the newest whole step, and nothing random."""

import json
import logging
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from scan_jax.core.errors import UserError
from scan_jax.inference import trained


def full(shape, value):
    return np.full(shape, value, np.float32)


def state(step):
    params = {"generator": {"a": full((3, 5), step + 0.5)}, "critic": {"b": {"k": full((4,), -step)}}}
    return {
        "step": np.int32(step),
        "params": params,
        "stats": {"generator": {}, "critic": {"u": full((2,), 7 * step)}},
        "opt": {"generator": {"mu": full((300, 300), 0)}},
        "ema": {"generator": {"a": full((3, 5), 10 * step)}},
    }


def make_run(folder, steps=(10, 20), state=state):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"method": {"name": "toy"}, "data": {"size": 16}}))
    mode = ocp.options.AtomicityOptions(mode=ocp.options.AtomicityMode.COMMIT_FILE)
    options = ocp.CheckpointManagerOptions(create=True, atomicity_options=mode)
    with ocp.CheckpointManager(folder / "checkpoints", options=options, item_names=("state",)) as manager:
        for step in steps:
            manager.save(step, args=ocp.args.Composite(state=ocp.args.StandardSave(jax.device_put(state(step)))))
        manager.wait_until_finished()
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run") / "toy")


def test_the_newest_step_with_the_moving_average_of_a_relative_folder_too(run, monkeypatch):
    step, variables = trained.restore(run)
    assert step == 20
    expected = state(20)
    assert set(variables.params) == {"generator", "critic"} and set(variables.stats) == {"generator", "critic"}
    np.testing.assert_array_equal(variables.params["generator"]["a"], expected["ema"]["generator"]["a"])
    np.testing.assert_array_equal(variables.params["critic"]["b"]["k"], expected["params"]["critic"]["b"]["k"])
    np.testing.assert_array_equal(variables.stats["critic"]["u"], expected["stats"]["critic"]["u"])
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves((variables.params, variables.stats)))
    monkeypatch.chdir(run.parent)
    assert trained.restore(Path("toy"))[0] == 20


def test_what_was_trained_in_64_bits_is_read_in_32(tmp_path):
    def double(step):
        return jax.tree.map(lambda leaf: leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf, state(step))

    with jax.enable_x64(True):
        run = make_run(tmp_path / "run", state=double)
    _, variables = trained.restore(run)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(variables.params["generator"]["a"], state(20)["ema"]["generator"]["a"])


@pytest.mark.parametrize("stats", [{}, {"mean": np.full((2,), 3, np.float32)}], ids=["no statistics", "statistics"])
def test_a_generator_alone(tmp_path, stats):
    def alone(step):
        whole = {key: {"generator": state(step)[key]["generator"]} for key in ("params", "opt", "ema")}
        return {**whole, "step": np.int32(step), "stats": {"generator": stats}}

    step, variables = trained.restore(make_run(tmp_path / "run", state=alone))
    assert step == 20 and set(variables.params) == {"generator"}
    np.testing.assert_array_equal(variables.params["generator"]["a"], state(20)["ema"]["generator"]["a"])
    jax.tree.map(np.testing.assert_array_equal, variables.stats, {"generator": stats})


def test_uncommitted_and_damaged_steps_fall_back_and_say_so(tmp_path, caplog):
    run = make_run(tmp_path / "run", steps=(10, 20, 30))
    (run / "checkpoints" / "30" / trained.COMMIT_FILE).unlink()
    (run / "checkpoints" / "40").mkdir()
    assert trained.committed_steps(run) == [20, 10] and trained.restore(run)[0] == 20
    (run / "checkpoints" / "20" / "state" / "_METADATA").write_text("{")
    step, variables = trained.restore(run)
    assert step == 10 and "checkpoint 20" in caplog.text and "damaged" in caplog.text
    np.testing.assert_array_equal(variables.params["generator"]["a"], full((3, 5), 100))


def test_nothing_readable_is_an_error_never_random_weights(tmp_path, caplog):
    run = make_run(tmp_path / "run", steps=(10,))
    for path in (run / "checkpoints" / "10").rglob("*"):
        if path.is_file() and path.name != trained.COMMIT_FILE:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    caplog.set_level(logging.CRITICAL, "asyncio")
    with pytest.raises(UserError, match="none of the 1 checkpoints"):
        trained.restore(run)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no checkpoint yet"):
        trained.restore(tmp_path / "empty")


def test_folders_that_are_no_runs(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        trained.read_config(tmp_path / "nowhere")
    with pytest.raises(UserError, match="not a run folder"):
        trained.read_config(tmp_path)
    (tmp_path / "config.json").write_text('{"method": ')
    with pytest.raises(UserError, match="is damaged"):
        trained.read_config(tmp_path)


def test_the_hash_names_the_parameters():
    params = state(3)["params"]
    assert trained.parameter_hash(params) == trained.parameter_hash(state(3)["params"])
    changed = params | {"critic": {"b": {"k": full((4,), -3.0 + 1e-6)}}}
    renamed = {"generator": params["generator"], "critic": {"c": params["critic"]["b"]}}
    hashes = {trained.parameter_hash(tree) for tree in (params, changed, renamed)}
    assert len(hashes) == 3
