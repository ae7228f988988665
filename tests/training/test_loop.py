"""A run that stops and goes on equals one that never stopped; bad news is one line and loses nothing."""

import json
import shutil
import signal

import jax
import jax.numpy as jnp
import pytest
from run_comparison import scalars
from toy_runs import assert_same, settings, train

from scan_jax.core.errors import UserError
from scan_jax.training import run_folder
from scan_jax.training.loop import Callback, Pending, mean_scalars


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(folder, settings())


@pytest.fixture
def copy(whole, tmp_path):
    """A folder like it, to be damaged."""
    return shutil.copytree(whole[0], tmp_path / "copy")


def files_of(copy, step):
    """All that a checkpoint consists of, beside what says that it is whole."""
    files = sorted(path for path in (copy / "checkpoints" / str(step)).rglob("*") if path.is_file())
    return [path for path in files if path.name != "commit_success.txt"]


def test_stopping_and_going_on_changes_no_bit(whole, tmp_path):
    def stop_at_three(step, state):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        return {}

    stopped = train(tmp_path, settings(), [Callback(1, stop_at_three)])
    assert int(stopped.step) == 3, "saved between two intervals"
    assert_same(train(tmp_path, settings()), whole[1])


def test_asked_for_a_checkpoint_it_makes_one_and_goes_on(whole, tmp_path):
    def ask_at_two(step, state):
        if step == 2:
            signal.raise_signal(signal.SIGUSR1)
        return {}

    assert_same(train(tmp_path, settings(), [Callback(1, ask_at_two)]), whole[1])
    assert {path.name for path in (tmp_path / "checkpoints").glob("[0-9]*")} == {"2", "3", "4", "6"}
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_scalars_are_written_once_per_step(copy):
    with (copy / "scalars.jsonl").open("a") as lines:
        lines.write('{"step": 8, "torn')
    (copy / "checkpoints" / "6" / "commit_success.txt").unlink()  # as if killed while writing step 6
    train(copy, settings())
    lines = scalars(copy)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[0].keys() >= {"term/l1", "loss/critic", "gradient_norm/generator", "images_per_second", "data_wait"}


def test_a_damaged_checkpoint_is_passed_over_and_only_damaged_ones_are_an_error(whole, copy, caplog):
    for path in files_of(copy, 6):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = train(copy, settings())
    assert "checkpoints/6 is damaged" in caplog.text
    assert_same(again, whole[1])
    assert_same(train(copy, settings()), whole[1])
    for step in (2, 4, 6):
        for path in files_of(copy, step):
            path.write_bytes(b"")
    with pytest.raises(UserError, match="none of the 3 checkpoints"):
        train(copy, settings())


def test_callbacks_happen_when_due(tmp_path):
    seen = []

    def note(step, state):
        seen.append(step)
        return {"eval/psnr": 20.0 + step}

    train(tmp_path, settings(), [Callback(4, note), Callback(0, note)])
    assert seen == [4, 6]
    assert {"step": 4, "eval/psnr": 24.0} in scalars(tmp_path)


def test_a_run_folder_belongs_to_one_config_whose_length_may_grow_unless_its_learning_rate_falls_to_its_end(tmp_path):
    config = {"seed": 0, "method": {"name": "scan", "width": 8}, "training": {"steps": 10, "log_every": 1}}
    run_folder.claim(tmp_path, config)
    run_folder.claim(tmp_path, {**config, "training": {"steps": 10, "log_every": 5}})
    with pytest.raises(UserError, match=r"method\.width: 8 -> 9; seed: 0 -> 1"):
        run_folder.claim(tmp_path, {**config, "seed": 1, "method": {"name": "scan", "width": 9}})
    assert json.loads((tmp_path / "config.json").read_text())["training"]["log_every"] == 5

    def claim(name, steps, **generator):
        run_folder.claim(tmp_path / name, {"training": {"steps": steps, "optimizers": {"generator": generator}}})

    claim("constant", 10, learning_rate=1e-4)
    claim("constant", 20, learning_rate=1e-4)
    claim("falling", 10, schedule="cosine")
    with pytest.raises(UserError, match=r"its length is fixed \(training\.steps: 10 -> 20\).*start_from="):
        claim("falling", 20, schedule="cosine")


def test_a_start_under_other_versions_is_noted_and_said(tmp_path, monkeypatch, caplog):
    def starts():
        return json.loads((tmp_path / "versions.json").read_text())["starts"]

    for _ in range(2):
        run_folder.note_versions(tmp_path)
    (begun,) = starts()
    assert begun.keys() == {"jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "python"}
    assert begun["jax"] == jax.__version__ and not caplog.messages
    newer = {**begun, "jax": "9.0", "numpy": "9.1"}
    monkeypatch.setattr(run_folder.metadata, "version", newer.get)
    for _ in range(2):
        run_folder.note_versions(tmp_path)
    changes = f"jax {begun['jax']} -> 9.0, numpy {begun['numpy']} -> 9.1"
    assert caplog.messages == [f"other versions than before ({changes}): the same steps need not have the same bits"]
    assert starts() == [begun, newer]
    (tmp_path / "versions.json").write_text("{")
    with pytest.raises(UserError, match=r"versions\.json is damaged \(.*\); remove it"):
        run_folder.note_versions(tmp_path)


def test_pending_scalars_are_averaged():
    pending = Pending()
    pending.add(1, {"a": jnp.float32(1)})
    pending.add(2, {"a": jnp.float32(3)})
    steps = pending.collect()
    assert steps == [(1, {"a": 1.0}), (2, {"a": 3.0})]
    assert mean_scalars(steps) == {"a": 2.0}
    assert pending.collect() == [] and mean_scalars([]) == {}
    some_have_it = [(1, {"a": 1.0}), (2, {"a": 3.0, "b": 4.0}), (3, {"b": 6.0})]
    assert mean_scalars(some_have_it) == {"a": 2.0, "b": 5.0}


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    sizes = iter([usage.free] + [1000] * 10)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=next(sizes)))
    with pytest.raises(UserError, match=r"is full: a checkpoint takes .* MB, 0\.0 MB are free"):
        train(tmp_path, settings())
    monkeypatch.undo()
    assert int(train(tmp_path, settings()).step) == 6
    assert scalars(tmp_path)[0]["step"] == 2
