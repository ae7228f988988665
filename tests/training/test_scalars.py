"""Scalars on disk; and of losses that stay far above their best."""

import json
import logging
import re
import types

import clu
import pytest

from scan_jax.core.errors import UserError
from scan_jax.training.guard import CollapseWatch
from scan_jax.training.scalars import ScalarWriters, forget_after


def test_json_lines_are_cut_back_to_a_step(tmp_path):
    with ScalarWriters(tmp_path) as writers:
        for step in (1, 2, 3):
            writers.write(step, {"term/l1": 1 / step})
        writers.write(4, {})
    forget_after(tmp_path, 2)
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "term/l1": 1.0}, {"step": 2, "term/l1": 0.5}]


def test_a_disk_that_is_full_is_one_line(tmp_path):
    (tmp_path / "scalars.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match="cannot write scalars: No space left"), ScalarWriters(tmp_path) as writers:
        writers.write(1, {"term/l1": 1.0})


def test_tensorboard_gets_the_same_scalars(tmp_path):
    pytest.importorskip("tensorflow")
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with ScalarWriters(tmp_path) as writers:
        writers.write(1, {"term/l1": 0.5})
    events = accumulators.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Tensors("term/l1")] == [1]


def warnings(caplog, losses, name="loss/generator"):
    caplog.clear()
    watch = CollapseWatch()
    with caplog.at_level(logging.WARNING):
        for index, loss in enumerate(losses):
            watch.read(20 * (index + 1), {name: loss})
    return [record.getMessage() for record in caplog.records]


def test_a_collapse_is_reported_once_with_its_steps_and_cure_and_nothing_else_is(caplog):
    (message,) = warnings(caplog, [0.4, 0.25, 0.3, 2.8, 2.7, 2.8, 2.8, 2.8, 2.8])
    assert "loss/generator was 0.25 at step 40 and is 2.8 at step 120" in message
    assert "config.training.optimizers.generator.learning_rate" in message
    assert not warnings(caplog, [0.4, 0.25, 2.8, 2.7, 0.3, 2.8, 2.7, 0.3])
    assert not warnings(caplog, [0.4, 0.25, 0.5, 0.9, 0.9, 0.9, 0.9])
    assert not warnings(caplog, [-0.4, -1.0, -0.1, -0.1, -0.1, -0.1])
    assert not warnings(caplog, [0.4, 0.25, 2.8, 2.8, 2.8, 2.8], name="term/l1")


@pytest.mark.parametrize(
    ("call", "says", "told"),
    [
        (
            "write_scalars",
            f"{{{{operation}}}} {'/a/path' * 40}; No space left on device\nCould",
            "No space left on device",
        ),
        ("close", "Could not flush events file.\nmany more lines", "Could not flush events file."),
    ],
)
def test_what_tensorflow_says_of_a_full_disk_is_one_line(call, says, told, tmp_path, monkeypatch):
    class Events:
        write_scalars = close = lambda *_: None

    class FullError(Exception):
        __module__ = "tensorflow.python.framework.errors_impl"

    def fail(*_):
        raise FullError(says)

    monkeypatch.setattr(Events, call, fail)
    # In place of clu's module, which cannot be imported without TensorFlow.
    monkeypatch.setattr(clu, "metric_writers", types.SimpleNamespace(SummaryWriter=lambda _: Events()), raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    message = rf"cannot write scalars: TensorBoard's events \({re.escape(told)}\)"
    with pytest.raises(UserError, match=message), ScalarWriters(tmp_path) as writers:
        writers.write(1, {"loss": 1.0})
