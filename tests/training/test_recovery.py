"""A bad step is undone and its batches are passed over; a run that cannot be saved says so and loses nothing."""

import json

import jax
import numpy as np
import pytest
from run_comparison import checkpoint_steps, scalars
from toy_method import toy_batch
from toy_runs import assert_same, inputs, opened, settings, trainer_of

from scan_jax.core.errors import UserError
from scan_jax.core.sections import GuardSettings
from scan_jax.training.guard import BadStep, Guard, Incidents
from scan_jax.training.loop import Callback, Run


def batches_with(poisoned, taken=None):
    """Batches by number; those in `poisoned` have a value that is not finite, or are bright beyond measure."""

    def batches_from(number):
        while True:
            if taken is not None:
                taken.append(number)
            batch = toy_batch(number)
            if number in poisoned:
                batch.image[0, 0, 0, 0] = poisoned[number]
            yield batch
            number += 1

    return batches_from


def run(folder, batches_from, callbacks=(), **changes):
    """Trains as a command does; the final state in NumPy."""
    given = settings(**{"steps": 12, "checkpoint_every": 4} | changes)
    trainer = trainer_of(given)

    with opened(folder / "checkpoints", latest=given.keep) as checkpoints:
        Run(inputs(trainer, batches_from), folder, checkpoints, callbacks).train()
        return jax.device_get(trainer.start(checkpoints))


def incidents(folder):
    return json.loads((folder / "incidents.json").read_text())


def test_a_step_that_is_not_finite_is_undone(tmp_path, caplog):
    """Batch 5 makes step 6 bad: back to step 4, from where batches 4 and 5 are passed over."""
    state = run(tmp_path, batches_with({5: np.nan}))
    assert int(state.step) == 12 and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    (incident,) = incidents(tmp_path)
    assert (incident["step"], incident["restored"], incident["first_batch"], incident["passed_over"]) == (6, 4, 4, 2)
    assert incident["reason"].startswith("loss/generator") or "not finite" in incident["reason"]
    assert incident["photographs"] == [f"photograph 5.{place}" for place in range(8)]
    assert incident["scalars"]["term/l1"] == "nan"
    assert "not finite at step 6; back to step 4, passing over the next 2 batches (try 1 of 3)" in caplog.text
    assert [line["step"] for line in scalars(tmp_path)] == [2, 4, 6, 8, 10, 12]

    skipping = batches_with({})
    assert int(run(tmp_path / "clean", skipping, steps=4).step) == 4
    expected = run(tmp_path / "clean", lambda number: skipping(number + 2))
    assert_same(state, expected)


def test_a_resumed_run_passes_over_the_same_batches(tmp_path):
    poisoned = batches_with({5: np.nan})
    whole = run(tmp_path / "whole", poisoned)
    run(tmp_path / "parts", poisoned, steps=8)
    taken = []
    assert_same(run(tmp_path / "parts", batches_with({5: np.nan}, taken)), whole)
    assert taken[:4] == [10, 11, 12, 13]


def test_before_the_first_checkpoint_it_begins_anew(tmp_path):
    assert int(run(tmp_path, batches_with({1: np.inf})).step) == 12
    assert [each["restored"] for each in incidents(tmp_path)] == [0]


def test_tries_are_bounded(tmp_path):
    always = batches_with(dict.fromkeys(range(5, 1000), np.nan))
    told = r"not finite at step 5, after 2 other tries from step 4; the last good .*replay"
    with pytest.raises(UserError, match=told):
        run(tmp_path, always, guard=GuardSettings(retries=2))
    found = [(each["step"], each["restored"], each["passed_over"]) for each in incidents(tmp_path)]
    assert found == [(6, 4, 2), (5, 4, 3), (5, 4, 4)]
    assert checkpoint_steps(tmp_path) == ([4], [])


def test_a_guard_that_is_off_ends_the_run(tmp_path):
    with pytest.raises(UserError, match=r"not finite at step 6; the last good checkpoint is kept. Lower the learning"):
        run(tmp_path, batches_with({5: np.nan}), guard=GuardSettings(enabled=False))
    assert not (tmp_path / "incidents.json").exists()
    assert checkpoint_steps(tmp_path) == ([4], [])
    assert int(run(tmp_path, batches_with({})).step) == 12


def test_a_leap_is_a_bad_step_and_the_checkpoint_before_it_is_kept(tmp_path):
    run(tmp_path, batches_with({5: 1e4}), guard=GuardSettings(spike=5.0, window=4), keep=1)
    (incident,) = incidents(tmp_path)
    assert incident["step"] == 6 and "times the largest of" in incident["reason"]
    assert checkpoint_steps(tmp_path) == ([4, 12], [])


def test_what_a_kill_kept_from_its_end_is_caught_up(tmp_path):
    """Due after steps 4, 8 and 12; the run goes on from 8, whose result is not there."""
    called, there = [], {4}

    def act(step, state):
        called.append((step, int(state.step)))
        there.add(step)
        return {}

    run(tmp_path, batches_with({}), steps=8)
    run(tmp_path, batches_with({}), callbacks=[Callback(4, act, there.__contains__), Callback(3, act)])
    assert called == [(8, 8), (9, 9), (12, 12), (12, 12)]
    called.clear()
    run(tmp_path, batches_with({}), callbacks=[Callback(4, act, there.__contains__)], steps=13)
    assert called == [(13, 13)]


def test_damaged_incidents_are_named(tmp_path):
    (tmp_path / "incidents.json").write_text('[{"step"')
    with pytest.raises(UserError, match=r"incidents\.json is damaged"):
        Incidents(tmp_path)


def read(guard, values, name="loss/generator", first=1):
    guard.read([(first + place, {name: value, "term/other": 1.0}) for place, value in enumerate(values)])


def test_a_leap_is_measured_by_what_was_seen_and_not_undone_and_terms_and_losses_without_a_scale_may_leap():
    guard = Guard(GuardSettings(spike=10.0, window=4))
    read(guard, [1.0, 50.0, 1.0])  # too little was seen before 50
    read(guard, [499.0, 1.0, 1.0, 4989.0, 1.0, 1.0, 1.0, 1.0], first=4)  # each below ten times what the window has
    with pytest.raises(BadStep, match=r"loss/generator is 10.1, 10 times the largest of 4 steps before at step 12"):
        read(guard, [10.1], first=12)
    guard = Guard(GuardSettings(spike=10.0, window=4))
    read(guard, [1.0, 1.0, 1.0, 9.0])
    guard.forget_after(2)  # what is left is half of the window, and enough
    with pytest.raises(BadStep):
        read(guard, [11.0], first=3)
    read(Guard(GuardSettings(spike=2.0, window=2)), [1.0, 1.0, 100.0, 1e6], name="term/critic")
    read(Guard(GuardSettings(spike=2.0, window=2)), [-1.0, -3.0, 1e6], name="loss/hinge")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_every_scalar_must_be_finite(value):
    with pytest.raises(BadStep, match="term/other not finite at step 2"):
        Guard(GuardSettings(enabled=False)).read([(1, {"term/other": 1.0}), (2, {"term/other": value})])
