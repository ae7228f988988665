"""What saves memory in a step: a batch in parts and activations computed again. Neither changes what is learned."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy_method import ToyMethod, toy_batch
from toy_runs import ADAM

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import TrainingSettings
from scan_jax.core.types import Example
from scan_jax.methods.api import Aux
from scan_jax.training import sharding
from scan_jax.training.cost.estimate import estimate
from scan_jax.training.step import in_parts, initial_state, make_step
from scan_jax.training.trainer import Trainer

DEVICES = 2
SGD = {"generator": optax.sgd(0.1), "critic": optax.sgd(0.1)}


class QuietToy(ToyMethod):
    """Draws nothing, so that parts of a batch see what the whole does."""

    def generator_loss(self, params, frozen, stats, example, carried, rng):
        image = self.networks["generator"].apply({"params": params["generator"]}, example.observe().image)
        logits = self.networks["critic"].apply({"params": frozen["critic"], **stats["critic"]}, image, train=False)
        error = jnp.abs(image - example.image).mean()
        return error - 0.01 * logits.mean(), Aux({"l1": error}, {}, jax.lax.stop_gradient(image))


def begin(method):
    return jax.jit(lambda: initial_state(method, SGD, toy_batch(0), jax.random.key(0)))()


@functools.cache
def after_three_steps(**options):
    method = QuietToy()
    state, step = begin(method), jax.jit(make_step(method.updates, SGD, 0.9, **options))
    for number in range(3):
        state, scalars = step(state, {}, toy_batch(number), jax.random.key(1))
    return jax.device_get((state, scalars))


@pytest.mark.parametrize("options", [{"accumulate": 2}, {"accumulate": 8}, {"remat": "activations"}], ids=str)
def test_the_step_is_the_same(options):
    plain, saving = after_three_steps(), after_three_steps(**options)
    for a, b in zip(jax.tree.leaves(saving), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    begun = begin(QuietToy())
    moved = max(float(np.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (plain[0].params, begun.params))))
    assert moved > 1e-2


def test_parts_are_put_together_as_they_were():
    """What is carried has the batch's order, terms and statistics are means, and each part draws for itself."""
    example = Example(jnp.arange(6.0)[:, None, None, None] * jnp.ones((1, 2, 2, 3)), jnp.ones((6, 2, 2, 1)))
    seen = []

    def gradient_of(trained, others, stats, example, carried, rng):
        seen.append(example.image.shape)
        mean = example.image.mean()
        aux = Aux({"mean": mean}, {"net": stats["net"] + mean}, (example.image * 2, carried))
        return (jax.random.uniform(rng), aux), {"w": trained["w"] * mean}

    split = in_parts(gradient_of, 3)
    found = jax.jit(split)({"w": jnp.ones(2)}, {}, {"net": jnp.zeros(())}, example, jnp.arange(6), jax.random.key(0))
    (draw, aux), gradient = found
    assert seen[0] == (2, 2, 2, 3)
    np.testing.assert_allclose(aux.carried[0], example.image * 2)
    np.testing.assert_array_equal(aux.carried[1], np.arange(6))
    assert float(aux.terms["mean"]) == float(aux.stats["net"]) == 2.5
    np.testing.assert_allclose(gradient["w"], [2.5, 2.5])
    draws = [float(jax.random.uniform(jax.random.fold_in(jax.random.key(0), part))) for part in range(3)]
    assert float(draw) == pytest.approx(np.mean(draws), rel=1e-6)
    assert len(set(draws)) == 3


def settings(**changes):
    return TrainingSettings(steps=4, batch_size=16, optimizers=ADAM, **changes)


@pytest.mark.slow
def test_parts_stay_on_their_devices_and_need_less_memory():
    """No example moves: beside the gradients' sums nothing is sent."""
    trainer = Trainer(QuietToy(), settings(accumulate=2), 16, 0)
    kinds = {each.kind for each in estimate(trainer, {}).collectives}
    assert kinds == {"all-reduce"}
    batch = sharding.to_devices(trainer.mesh, toy_batch(0, 16))
    state, scalars = trainer.step_after(0)(trainer.begin(), {}, batch, trainer.key)
    assert int(state.step) == 1 and np.isfinite(float(scalars["loss/generator"]))
    method = QuietToy()
    one = jax.devices()[:1]
    trainers = [Trainer(method, settings(accumulate=parts), 64, 0, one) for parts in (1, 2, 8)]
    sizes = [estimate(trainer, {}).temporary for trainer in trainers]
    assert sizes[2] < sizes[1] < sizes[0]


def test_parts_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match=r"accumulate = 3 does not divide the batch of 16"):
        settings(accumulate=3)
    with pytest.raises(UserError, match="each of the 16 parts"):
        Trainer(QuietToy(), settings(accumulate=16), 16, 0)
    section = dataclasses.asdict(settings()) | {"remat": "all"}
    with pytest.raises(UserError, match=r"config\.training\.remat must be one of"):
        bind(section, TrainingSettings, "config.training")
