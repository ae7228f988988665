"""The step on several devices and on one, and that it compiles once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy_runs import ADAM, batches_from, settings, trainer_of

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import OptimizerSettings
from scan_jax.training import sharding
from scan_jax.training.step import initial_state, make_step
from scan_jax.training.trainer import Trainer, learning_rate, make_optimizer

DEVICES = 4
SGD = {"generator": optax.sgd(0.1), "critic": optax.sgd(0.1)}


def run(method, mesh, rules, steps=3):
    init = jax.jit(lambda example: initial_state(method, SGD, example, jax.random.key(0)))
    state = jax.device_get(init(next(batches_from(0))))
    places = sharding.tree_shardings(mesh, state, rules)
    state = jax.device_put(state, places)
    step = jax.jit(make_step(method.updates, SGD, 0.9), out_shardings=(places, sharding.replicated(mesh)))
    for _, batch in zip(range(steps), batches_from(0)):
        state, scalars = step(state, {}, sharding.to_devices(mesh, batch), jax.random.key(1))
    return jax.device_get((state, scalars))


def test_several_devices_compute_what_one_does(toy_method):
    one = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("data", "fsdp"))
    alone, alone_scalars = run(toy_method, one, ((".*", "replicate"),))
    for fsdp, action in ((1, "replicate"), (2, "fsdp")):
        many, many_scalars = run(toy_method, sharding.make_mesh(8, fsdp), ((".*", action),))
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(many)):
            np.testing.assert_allclose(a, b, atol=1e-5)
        for name in alone_scalars:
            np.testing.assert_allclose(alone_scalars[name], many_scalars[name], rtol=1e-4, atol=1e-6)


def test_fsdp_rules_split_the_largest_axis():
    mesh = sharding.make_mesh(8, 4)
    tree = {"kernel": np.zeros((3, 3, 8, 16)), "bias": np.zeros(3), "other": np.zeros(8)}
    places = sharding.tree_shardings(mesh, tree, (("kernel|bias", "fsdp"), (".*", "replicate")))
    assert places["kernel"].spec == jax.sharding.PartitionSpec(None, None, None, "fsdp")
    assert places["bias"].spec == places["other"].spec == jax.sharding.PartitionSpec()


def test_what_is_measured_is_shared_among_the_devices_where_it_divides():
    trainer = trainer_of(settings())
    image = np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
    shared, whole = trainer.share((image, None)), trainer.share((image[:6], None))
    assert shared[1] is None
    assert {shard.data.shape for shard in shared[0].addressable_shards} == {(4, 4, 4, 3)}
    assert {shard.data.shape for shard in whole[0].addressable_shards} == {(6, 4, 4, 3)}
    np.testing.assert_array_equal(shared[0], image)


def test_what_does_not_divide_is_refused_and_turns_without_an_optimizer_are_named(toy_method):
    with pytest.raises(UserError, match="multiple of the 4 devices"):
        sharding.make_mesh(6)
    with pytest.raises(UserError, match="fsdp = 3 does not divide"):
        sharding.make_mesh(12, 3)
    with pytest.raises(UserError, match=r"config\.training\.optimizers\.critic is missing"):
        Trainer(toy_method, settings(optimizers={"generator": ADAM["generator"]}), 16, 0)


def test_one_compilation_and_a_donated_state():
    trainer = trainer_of(settings())
    state = first = trainer.begin()
    with jax.transfer_guard("disallow"):
        for _, batch in zip(range(4), trainer.prefetch(batches_from(0))):
            state, _ = trainer.step_after(0)(state, {}, batch, trainer.key)
    assert trainer.step_after(0)._cache_size() == 1
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(first.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_schedules_warm_up_and_fall():
    rate = learning_rate(OptimizerSettings(0.1, warmup=10, schedule="cosine", final_share=0.01), 110)
    found = jax.jit(jax.vmap(rate))(np.array([0, 5, 10, 60, 110]))
    assert found[0] == 0 and found[1:] == pytest.approx([0.05, 0.1, 0.1 * (0.01 + 0.99 * 0.5), 0.001])
    with pytest.raises(UserError, match="schedule must be one of"):
        bind({"schedule": "linear"}, OptimizerSettings, "config.training.optimizers.generator")


def updates(given, gradients):
    """What an optimizer makes of one gradient after the other, the largest of each."""
    optimizer = make_optimizer(given, 10)
    params = {"w": np.ones(4, np.float32)}

    def step(state, gradient):
        update, state = optimizer.update({"w": jnp.full(4, gradient)}, state, params)
        return state, jnp.abs(update["w"]).max()

    return jax.jit(lambda: jax.lax.scan(step, optimizer.init(params), jnp.array(gradients))[1])()


def test_clipping_bounds_the_update_and_clipping_adams_update_a_leap():
    plain, clipped = (updates(dataclasses.replace(OptimizerSettings(), clip=clip), [5.0])[0] for clip in (0.0, 1e-12))
    assert plain == pytest.approx(1e-4, rel=1e-3)
    assert clipped < 1e-6
    plain, clipped = (
        updates(OptimizerSettings(0.1, b1=0.0, b2=0.999, update_clip=clip), [1e-3] * 100 + [10.0])[-1]
        for clip in (0.0, 0.5)
    )
    assert plain > 0.9  # nine learning rates and more in one step
    assert clipped == pytest.approx(0.5 * 0.1, rel=1e-3)


def test_muon_makes_the_updates_of_kernels_orthogonal_and_leaves_the_rest_to_adam():
    shapes = {"kernel": (3, 3, 4, 8), "table": (8, 6), "bias": (8,)}
    slopes = {name: jax.random.normal(jax.random.key(0), shape) for name, shape in shapes.items()}
    optimizer = make_optimizer(OptimizerSettings(1e-2, b1=0.9, b2=0.99, algorithm="muon"), 10)
    found, _ = jax.jit(lambda slopes: optimizer.update(slopes, optimizer.init(slopes), slopes))(slopes)
    left, sizes, right = np.linalg.svd(np.asarray(slopes["kernel"], np.float64).reshape(36, 8), full_matrices=False)
    update = np.asarray(found["kernel"]).reshape(36, 8) / (1e-2 * 0.2 * np.sqrt(36))
    turned = left.T @ update @ right.T  # -1 on the diagonal if it were exact
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-3)
    assert sizes[0] > 2 * sizes[-1] and (np.abs(np.diag(turned) + 0.95) < 0.3).all()
    first = 1 + 0.9 * 0.1 / (1 - 0.9**2)  # of Nesterov's look ahead, where Adam's would be 1
    for name in ("table", "bias"):
        np.testing.assert_allclose(found[name], -1e-2 * first * np.sign(slopes[name]), rtol=1e-3)


def test_every_step_draws_anew(toy_method):
    example = next(batches_from(0))
    state = initial_state(toy_method, SGD, example, jax.random.key(0))
    step = jax.jit(make_step(toy_method.updates, SGD, 0.9))
    losses = []
    for done in (0, 0, 1):
        _, scalars = step(dataclasses.replace(state, step=jnp.int32(done)), {}, example, jax.random.key(1))
        losses.append(float(scalars["term/l1"]))
    assert losses[0] == losses[1] != losses[2]
