"""Every method on eight virtual devices is what it is on one: no statistic, draw or mean depends on the mesh.

Both begin with the same networks, all of whose parameters were shaken: when a run begins, gates of zero hide half of a
method. The learning rates move them by a thousand times the tolerance and more. What rounding cannot be kept from is to
put one unit on the other side of a ReLU's corner, from where on two runs differ in the gradient of that unit, by some
thousandths of the movement. A mistake does so with every batch, rounding with few: one of three starts is enough.
"""

import dataclasses
import functools
import gc

import jax
import numpy as np
import pytest
from small_methods import SMALL, phase_begins, portrait_batches, registered, shaken, small_method, worst

from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.ops import smooth_fill
from scan_jax.training.sharding import replicated
from scan_jax.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Case:
    size: int  # of the photographs
    shake: float  # standard deviation of what is added to all parameters
    rates: dict  # of learning, by update


pytestmark = pytest.mark.slow
DEVICES = 8
LIMITS = (1e-6, 1e-5)  # absolute, of every array of the state; relative, of losses and gradient norms
MOVED, STEPS, STARTS = 1e-3, 5, 3

CRITICS = ("edge_critic", "critic", "joint_edge_critic", "joint_critic")  # EdgeConnect's
CASES = {
    "scan": Case(32, 0.03, {"generator": 0.02, "critic": 0.3}),
    "masked_attention": Case(64, 0.1, {"generator": 2e-3, "critic": 0.02}),  # at 32, its head is one pixel
    "gated_conv": Case(32, 0.03, {"generator": 0.02, "critic": 0.3}),
    "partial_conv": Case(32, 0.03, {"generator": 0.01, "finetune": 0.01}),
    "edge_connect": Case(32, 0.03, {"edge": 1e-3, "completion": 2e-3, "joint": 1e-3} | dict.fromkeys(CRITICS, 0.1)),
    "region_norm": Case(32, 0.03, {"generator": 0.02, "critic": 0.1}),
    "lama": Case(32, 0.03, {"generator": 2e-4, "critic": 2e-3}),
    "migan": Case(32, 0.03, {"generator": 0.02, "critic": 0.03}),
    "rfr": Case(32, 0.03, {"generator": 0.02, "finetune": 0.02}),
}
DRAW = {"scan", "masked_attention", "migan"}  # the others' steps are the same whatever the key
# Devices, how many of them share the parameters, and what becomes of each parameter.
ONE, MESHES = (1, 1, "replicate"), {"8": (8, 1, "replicate"), "4x2": (8, 2, "fsdp")}


@pytest.fixture(scope="module", params=CASES)
def name(request):
    """One method after the other: the programs of all of them need more memory maps than Linux grants a process."""
    yield request.param
    for cached in (trainer, beginning, train):
        cached.cache_clear()
    jax.clear_caches()
    gc.collect()


@functools.cache
def trainer(name, mesh):
    """Compiled once for all starts."""
    method, case, (devices, fsdp, action) = small_method(name), CASES[name], mesh
    settings = TrainingSettings(
        steps=STEPS,
        batch_size=8,
        optimizers={
            update.name: OptimizerSettings(case.rates[update.name], algorithm="sgd") for update in method.updates
        },
        phases=phase_begins(method),
        fsdp=fsdp,
        sharding=((".*", action),),
    )
    return method, Trainer(method, settings, case.size, 0, jax.devices()[:devices])


@functools.cache
def beginning(name, start):
    """A state to begin with, in NumPy; other networks for each start."""
    return shaken(jax.device_get(trainer(name, ONE)[1].begin()), CASES[name].shake, start)


@functools.cache
def train(name, start, mesh, seed=0):
    """The state after five steps, in NumPy, and the scalars of each."""
    method, ready = trainer(name, mesh)
    state, scalars = ready.own(jax.device_put(beginning(name, start), ready.shardings)), []
    key = jax.jit(jax.random.key, static_argnums=0, out_shardings=replicated(ready.mesh))(seed)
    batches = portrait_batches(method, STEPS + 3, size=CASES[name].size, seed=start)  # the feed reads ahead
    with jax.transfer_guard("disallow"):
        for done, batch in zip(range(STEPS), ready.prefetch(iter(batches))):
            state, found = ready.step_after(done)(state, {}, batch, key)
            scalars.append(found)
    return jax.device_get((state, scalars))


def difference(ours, others):
    """Of two results: absolute of the states, relative of the scalars."""
    (state, scalars), (other_state, other_scalars) = ours, others
    relative = jax.tree.map(lambda a, b: (a - b) / np.maximum(np.abs(b), 1), scalars, other_scalars)
    return worst(state, other_state), worst(relative, jax.tree.map(np.zeros_like, relative))


@pytest.mark.parametrize("mesh", MESHES)
def test_eight_devices_compute_what_one_does(name, mesh):
    found = []
    for start in range(STARTS):
        alone, together = train(name, start, ONE), train(name, start, MESHES[mesh])
        found.append(difference(alone, together))
        if start == 0:  # later, JAX may find a compiled step by a second key
            steps = [*trainer(name, ONE)[1].steps, *trainer(name, MESHES[mesh])[1].steps]
            assert {step._cache_size() for step in steps} == {1}, "a step was compiled again"
        print(f"\n{name}, mesh {mesh}, start {start}: state {found[-1][0]:.1e}, scalars {found[-1][1]:.1e}")
        if np.all(np.less_equal(found[-1], LIMITS)):
            break
    assert np.all(np.less_equal(found, LIMITS), axis=1).any(), f"state and scalars differ by {found}"


def test_the_comparison_sees_what_it_looks_for(name):
    """The networks move by far more than the tolerance, and other random draws are far outside it."""
    alone = train(name, 0, ONE)
    for network, params in alone[0].params.items():
        moved = worst(beginning(name, 0).params[network], params)
        print(f"\n{name}: the {network} moves by {moved:.1e}")
        assert moved >= MOVED
    other_draws = difference(alone, train(name, 0, ONE, seed=1))
    print(f"{name}: other draws differ by {other_draws[0]:.1e}")
    assert other_draws[0] > 30 * LIMITS[0] if name in DRAW else other_draws[0] == 0


def test_a_run_begins_alike_on_any_mesh_and_splits_what_the_rules_say():
    ready = trainer("scan", MESHES["4x2"])[1]
    state = ready.begin()
    split = [not leaf.is_fully_replicated for leaf in jax.tree.leaves(state.params)]
    assert np.mean(split) > 0.5
    assert dict(ready.mesh.shape) == {"data": 4, "fsdp": 2}
    assert worst(trainer("scan", ONE)[1].begin(), state) <= LIMITS[0]


def test_every_method_is_compared():
    assert set(CASES) == registered() == set(SMALL)


def test_a_prior_in_groups_and_muon_compute_on_a_mesh_what_they_do_on_one_device(monkeypatch):
    monkeypatch.setattr(smooth_fill, "GROUP", 2 * 32 * 32)  # four groups
    loss = {"perceptual": 0.0, "style": 0.0, "adversarial": 0.0}
    method = small_method("scan", prior="both", stages=1, blocks=0, loss=loss)
    optimizers = {"generator": OptimizerSettings(1e-3, b1=0.9, b2=0.99, algorithm="muon")}
    found = []
    for devices, fsdp, action in (ONE, MESHES["4x2"]):
        settings = TrainingSettings(steps=3, batch_size=8, optimizers=optimizers, fsdp=fsdp, sharding=((".*", action),))
        ready = Trainer(method, settings, 32, 0, jax.devices()[:devices])
        if not found:
            start = shaken(jax.device_get(ready.begin()), 0.03, 0)
        state = ready.own(jax.device_put(start, ready.shardings))
        for done, batch in zip(range(3), ready.prefetch(iter(portrait_batches(method, 6, size=32)))):
            state, _ = ready.step_after(done)(state, {}, batch, ready.key)
        found.append(jax.device_get(state.params))
    assert worst(found[0], start.params) > 1e-3  # it moved
    assert worst(*found) < 1e-5
