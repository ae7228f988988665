"""The step on eight devices and on one, and that it compiles once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scan_jax.errors import UserError
from scan_jax.settings import bind
from scan_jax.training import sharding
from scan_jax.training.optimizers import OptimizerSettings, learning_rate, make_optimizer
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import make_trainer
from scan_jax.training.state import initial_state
from scan_jax.training.step import make_step

SGD = {"generator": optax.sgd(0.1), "critic": optax.sgd(0.1)}
ADAM = {"generator": OptimizerSettings(1e-3), "critic": OptimizerSettings(1e-3)}


def run(method, batches, mesh, rules, steps=3):
    example = next(batches(0))
    state = initial_state(method, SGD, example, jax.random.key(0))
    places = sharding.tree_shardings(mesh, state, rules)
    state = jax.device_put(state, places)
    step = jax.jit(make_step(method.turns, SGD, 0.9), out_shardings=(places, sharding.replicated(mesh)))
    for _, batch in zip(range(steps), batches(0)):
        state, scalars = step(state, {}, sharding.to_devices(mesh, batch), jax.random.key(1))
    return state, scalars


@pytest.mark.parametrize(("fsdp", "action"), [(1, "replicate"), (2, "fsdp")])
def test_eight_devices_compute_what_one_does(toy_method, batches_from, fsdp, action):
    one = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("data", "fsdp"))
    alone, alone_scalars = run(toy_method, batches_from, one, sharding.REPLICATE)
    many, many_scalars = run(toy_method, batches_from, sharding.make_mesh(8, fsdp), ((".*", action),))
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(many)):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for name in alone_scalars:
        np.testing.assert_allclose(alone_scalars[name], many_scalars[name], rtol=1e-4, atol=1e-6)


def test_fsdp_rules_split_the_largest_axis():
    mesh = sharding.make_mesh(8, 4)
    tree = {"kernel": jnp.zeros((3, 3, 8, 16)), "bias": jnp.zeros((3,)), "other": jnp.zeros((8,))}
    places = sharding.tree_shardings(mesh, tree, (("kernel|bias", "fsdp"), (".*", "replicate")))
    assert places["kernel"].spec == jax.sharding.PartitionSpec(None, None, None, "fsdp")
    assert places["bias"].spec == places["other"].spec == jax.sharding.PartitionSpec()


def test_what_is_measured_is_shared_among_the_devices_where_it_divides(toy_method):
    settings = TrainingSettings(steps=1, batch_size=8, optimizers=ADAM)
    trainer = make_trainer(toy_method, settings, 16, 0)
    image = np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
    shared, whole = trainer.share((image, None)), trainer.share((image[:6], None))
    assert shared[1] is None
    assert {shard.data.shape for shard in shared[0].addressable_shards} == {(2, 4, 4, 3)}
    assert {shard.data.shape for shard in whole[0].addressable_shards} == {(6, 4, 4, 3)}
    np.testing.assert_array_equal(shared[0], image)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match="multiple of the 8 devices"):
        sharding.make_mesh(12)
    with pytest.raises(UserError, match="fsdp = 3 does not divide"):
        sharding.make_mesh(24, 3)


def test_one_compilation_and_a_donated_state(toy_method, batches_from):
    settings = TrainingSettings(steps=4, batch_size=8, optimizers=ADAM)
    trainer = make_trainer(toy_method, settings, 16, 0)
    first = trainer.fresh()
    state = first
    with jax.transfer_guard("disallow"):
        for _, batch in zip(range(4), trainer.feed(batches_from(0))):
            state, _ = trainer.step_after(0)(state, {}, batch, trainer.key)
    assert trainer.step_after(0)._cache_size() == 1
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(first.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_turns_without_an_optimizer_are_named(toy_method):
    settings = TrainingSettings(steps=4, batch_size=8, optimizers={"generator": OptimizerSettings()})
    with pytest.raises(UserError, match=r"config\.training\.optimizers\.critic is missing"):
        make_trainer(toy_method, settings, 16, 0)


def test_schedules_warm_up_and_fall():
    rate = learning_rate(OptimizerSettings(0.1, warmup=10, schedule="cosine", final_share=0.01), 110)
    assert float(rate(0)) == 0
    assert float(rate(5)) == pytest.approx(0.05)
    assert float(rate(10)) == pytest.approx(0.1)
    assert float(rate(60)) == pytest.approx(0.1 * (0.01 + 0.99 * 0.5))
    assert float(rate(110)) == pytest.approx(0.001)
    with pytest.raises(UserError, match="schedule must be one of"):
        bind({"schedule": "linear"}, OptimizerSettings, "config.training.optimizers.generator")


def test_clipping_bounds_the_update():
    plain, clipped = (make_optimizer(dataclasses.replace(OptimizerSettings(), clip=clip), 10) for clip in (0.0, 1e-12))
    params = {"w": jnp.ones(3)}
    updates = [tx.update({"w": jnp.full(3, 5.0)}, tx.init(params), params)[0]["w"] for tx in (plain, clipped)]
    assert float(jnp.abs(updates[0]).max()) == pytest.approx(1e-4, rel=1e-3)
    assert float(jnp.abs(updates[1]).max()) < 1e-6


def test_clipping_adams_update_bounds_a_leap():
    settings = OptimizerSettings(0.1, b1=0.0, b2=0.999, update_clip=0.5)
    sizes = {}
    for name, clip in (("plain", 0.0), ("clipped", 0.5)):
        optimizer = make_optimizer(dataclasses.replace(settings, update_clip=clip), 10)
        state = optimizer.init({"w": jnp.ones(4)})
        for _ in range(100):
            _, state = optimizer.update({"w": jnp.full(4, 1e-3)}, state)
        leap, _ = optimizer.update({"w": jnp.full(4, 10.0)}, state)
        sizes[name] = float(jnp.abs(leap["w"]).max())
    assert sizes["plain"] > 0.9  # nine learning rates and more in one step
    assert sizes["clipped"] == pytest.approx(0.5 * 0.1, rel=1e-3)
