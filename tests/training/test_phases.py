"""A training in phases: each has its own updates, a run goes on in the middle of any, one folder holds them all."""

import jax
import numpy as np
import pytest
from run_comparison import scalars
from toy_method import ToyMethod
from toy_runs import assert_same, batches_from, settings, train, trainer_of

from scan_jax.core.errors import UserError
from scan_jax.core.sections import GuardSettings, OptimizerSettings
from scan_jax.methods.api import Update
from scan_jax.training.guard import BadStep, Guard
from scan_jax.training.trainer import phase_after, phases_of, updates_in

RATES = {"first": OptimizerSettings(1e-3), "second": OptimizerSettings(1e-4), "critic": OptimizerSettings(1e-3)}
BEGINS = {"first": 0, "second": 3}


class PhasedToy(ToyMethod):
    """The generator is trained with two optimisers, one after the other, the critic all the time."""

    def __init__(self):
        super().__init__()
        self.updates = (
            Update("first", ("generator",), self.generator_loss, "first"),
            Update("second", ("generator",), self.generator_loss, "second"),
            Update("critic", ("critic",), self.critic_loss),
        )


def phased(**changes):
    return settings(**{"optimizers": RATES, "phases": BEGINS, **changes})


def test_turns_of_a_phase_and_of_the_whole_training():
    updates = PhasedToy().updates
    assert [update.name for update in updates_in(updates, "second")] == ["second", "critic"]
    found = phases_of(updates, {"second": 7, "first": 0}, 10)
    assert [(phase.name, phase.begin, phase.length) for phase in found] == [("first", 0, 7), ("second", 7, 3)]
    assert [phase_after(found, done).name for done in (0, 6, 7, 9)] == ["first", "first", "second", "second"]
    assert [phase.name for phase in phases_of(updates, {"second": 0}, 10)] == ["second"]
    assert phases_of(updates, {"first": 0, "second": 50}, 10)[1].length == 1, "never reached"
    (only,) = phases_of(ToyMethod().updates, {}, 10)
    assert (only.name, only.begin, only.length, len(only.updates)) == ("", 0, 10, 2)


@pytest.mark.parametrize(
    ("method", "begins", "said"),
    [
        (PhasedToy, {}, r"the first must begin at 0: --config\.training\.phases\.first=0"),
        (PhasedToy, {"first": 2}, r"the first must begin at 0"),
        (PhasedToy, {"first": 0, "secnd": 3}, r"phases\.secnd is unknown, did you mean 'second'\?; .* first, second"),
        (PhasedToy, {"first": 0, "second": 0}, r"must rise in the order first, second, not \[0, 0\]"),
        (ToyMethod, {"first": 0}, "the method has no phases"),
    ],
)
def test_begins_that_make_no_sense_are_refused(method, begins, said):
    with pytest.raises(UserError, match=said):
        phases_of(method().updates, begins, 10)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"), phased(), method=PhasedToy)


def test_each_phase_moves_its_own_optimiser(tmp_path):
    first = train(tmp_path / "first", phased(steps=3), method=PhasedToy)
    both = train(tmp_path / "both", phased(steps=5), method=PhasedToy)
    for name, count in {"first": 3, "second": 2, "critic": 5}.items():
        assert [int(leaf) for leaf in jax.tree.leaves(both.opt[name]) if leaf.dtype == np.int32] == [count, count]
    assert len(both.opt) == 3
    assert_same(both.opt["first"], first.opt["first"])
    seen = {line["step"]: {name for name in line if name.startswith("loss/")} for line in scalars(tmp_path / "both")}
    assert seen[2] == {"loss/first", "loss/critic"} and seen[5] == {"loss/second", "loss/critic"}
    assert seen[4] == {"loss/first", "loss/second", "loss/critic"}, "the mean of steps 3 and 4"


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_run_goes_on_in_the_middle_of_a_phase_and_at_its_end(whole, tmp_path, stop):
    train(tmp_path, phased(steps=stop), method=PhasedToy)
    assert_same(train(tmp_path, phased(), method=PhasedToy), whole)


def test_a_phase_that_is_left_out_needs_no_optimiser():
    two = {name: RATES[name] for name in ("first", "critic")}
    trainer = trainer_of(phased(optimizers=two, phases={"first": 0}), PhasedToy)
    assert set(trainer.shapes.opt) == {"first", "critic"}
    with pytest.raises(UserError, match=r"optimizers\.second is missing"):
        trainer_of(phased(optimizers=two), PhasedToy)


def test_a_schedule_ends_with_its_phase(tmp_path):
    """A step more, after the end of a phase of four in a run of seven: there is no learning rate left."""
    given = phased(optimizers={**RATES, "second": OptimizerSettings(1e-2, schedule="cosine")}, steps=7)
    trainer = trainer_of(given, PhasedToy)
    state = trainer.own(jax.device_put(train(tmp_path, given, method=PhasedToy), trainer.shardings))
    before = jax.device_get(state.params)
    after, _ = trainer.step_after(7)(state, {}, next(trainer.prefetch(batches_from(7))), trainer.key)
    assert_same(after.params["generator"], before["generator"])
    assert not np.array_equal(after.params["critic"]["kernel"], before["critic"]["kernel"])


def test_a_phase_may_begin_with_losses_of_another_size():
    guard = Guard(GuardSettings(spike=10.0, window=4))
    guard.read([(step, {"loss/first": 1.0}) for step in range(1, 6)])
    guard.read([(step, {"loss/second": 100.0}) for step in range(6, 8)])
    with pytest.raises(BadStep, match="loss/second is 2e\\+03, 20 times the largest of 2 steps before"):
        guard.read([(8, {"loss/second": 2000.0})])
