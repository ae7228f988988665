"""A run that stops and goes on equals one that never stopped; bad news is one line and loses nothing."""

import json
import shutil
import signal

import jax
import jax.numpy as jnp
import pytest
from toy_runs import assert_same, settings, train

from scan_jax.errors import UserError
from scan_jax.training import run_folder
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.keeping import Keep
from scan_jax.training.loop import Callback, Pending, mean_scalars
from scan_jax.training.setup import make_trainer


def test_stopping_and_going_on_changes_no_bit(toy_method, batches_from, tmp_path):
    whole = train(toy_method, batches_from, tmp_path / "whole", settings())

    def stop_at_three(step, state):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        return {}

    parts = tmp_path / "parts"
    stopped = train(toy_method, batches_from, parts, settings(), [Callback(1, stop_at_three)])
    assert int(stopped.step) == 3, "saved between two intervals"
    assert_same(train(toy_method, batches_from, parts, settings()), whole)


def test_scalars_are_written_once_per_step(toy_method, batches_from, tmp_path):
    train(toy_method, batches_from, tmp_path, settings())
    with (tmp_path / "scalars.jsonl").open("a") as lines:
        lines.write('{"step": 8, "torn')
    (tmp_path / "checkpoints" / "6" / "commit_success.txt").unlink()  # as if killed while writing step 6
    train(toy_method, batches_from, tmp_path, settings())
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[0].keys() >= {"term/l1", "loss/critic", "gradient_norm/generator", "images_per_second", "data_wait"}


def test_a_damaged_checkpoint_is_passed_over(toy_method, batches_from, tmp_path, caplog):
    whole = train(toy_method, batches_from, tmp_path, settings())
    for path in sorted((tmp_path / "checkpoints" / "6").rglob("*")):
        if path.is_file() and path.name != "commit_success.txt":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = train(toy_method, batches_from, tmp_path, settings())
    assert "checkpoints/6 is damaged" in caplog.text
    assert_same(again, whole)
    assert_same(train(toy_method, batches_from, tmp_path, settings()), whole)


def test_only_damaged_checkpoints_are_an_error(toy_method, batches_from, tmp_path):
    train(toy_method, batches_from, tmp_path, settings(checkpoint_every=6))
    for path in sorted((tmp_path / "checkpoints" / "6").rglob("*")):
        if path.is_file() and path.name != "commit_success.txt":
            path.write_bytes(b"")
    with pytest.raises(UserError, match="none of the 1 checkpoints"):
        train(toy_method, batches_from, tmp_path, settings())


def test_callbacks_happen_when_due(toy_method, batches_from, tmp_path):
    seen = []

    def note(step, state):
        seen.append(step)
        return {"eval/psnr": 20.0 + step}

    train(toy_method, batches_from, tmp_path, settings(), [Callback(4, note), Callback(0, note)])
    assert seen == [4, 6]
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    assert {"step": 4, "eval/psnr": 24.0} in lines


def test_a_checkpoint_moves_to_another_mesh(toy_method, batches_from, tmp_path):
    whole = train(toy_method, batches_from, tmp_path, settings(steps=2))
    given = settings(steps=2, fsdp=4, sharding=((".*", "fsdp"),))
    trainer = make_trainer(toy_method, given, 16, seed=0)
    checkpoints = Checkpoints(tmp_path / "checkpoints", Keep(10))
    moved = trainer.start(checkpoints)
    checkpoints.close()
    kernel = moved.params["critic"]["kernel"]
    assert kernel.sharding.spec == jax.sharding.PartitionSpec(None, None, None, "fsdp")
    assert_same(jax.device_get(moved), whole)


def test_a_run_folder_belongs_to_one_config(tmp_path):
    config = {"seed": 0, "method": {"name": "scan", "width": 8}, "training": {"steps": 10, "log_every": 1}}
    run_folder.claim(tmp_path, config)
    run_folder.claim(tmp_path, {**config, "training": {"steps": 10, "log_every": 5}})
    with pytest.raises(UserError, match=r"method\.width: 8 -> 9; seed: 0 -> 1"):
        run_folder.claim(tmp_path, {**config, "seed": 1, "method": {"name": "scan", "width": 9}})
    assert json.loads((tmp_path / "config.json").read_text())["training"]["log_every"] == 5


def test_a_run_can_be_made_longer_unless_its_learning_rate_falls_to_its_end(tmp_path):
    constant = {"training": {"steps": 10, "optimizers": {"generator": {"learning_rate": 1e-4}}}}
    run_folder.claim(tmp_path / "constant", constant)
    run_folder.claim(tmp_path / "constant", {"training": {**constant["training"], "steps": 20}})
    falling = {"training": {"steps": 10, "optimizers": {"generator": {"schedule": "cosine"}}}}
    run_folder.claim(tmp_path / "falling", falling)
    with pytest.raises(UserError, match=r"its length is fixed \(training\.steps: 10 -> 20\).*start_from="):
        run_folder.claim(tmp_path / "falling", {"training": {**falling["training"], "steps": 20}})


def test_pending_scalars_are_averaged():
    pending = Pending()
    pending.add(1, {"a": jnp.float32(1)})
    pending.add(2, {"a": jnp.float32(3)})
    steps = pending.collect()
    assert steps == [(1, {"a": 1.0}), (2, {"a": 3.0})]
    assert mean_scalars(steps) == {"a": 2.0}
    assert pending.collect() == [] and mean_scalars([]) == {}


def test_a_full_disk_is_said_before_anything_is_written(toy_method, batches_from, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    sizes = iter([usage.free] + [1000] * 10)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=next(sizes)))
    with pytest.raises(UserError, match=r"is full: a checkpoint takes .* MB, 0\.0 MB are free"):
        train(toy_method, batches_from, tmp_path, settings())
    monkeypatch.undo()
    assert int(train(toy_method, batches_from, tmp_path, settings()).step) == 6
    assert json.loads((tmp_path / "scalars.jsonl").read_text().splitlines()[0])["step"] == 2
