"""Runs of a toy method in a folder, as the trainer makes them."""

import contextlib
import types

import jax
import numpy as np
from toy_method import ToyMethod, toy_batch

from scan_jax.core.config import Config
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.loop import Run
from scan_jax.training.step import TrainState
from scan_jax.training.trainer import Trainer

ADAM = {"generator": OptimizerSettings(1e-3), "critic": OptimizerSettings(1e-3)}
SIZE = 16
TRAINERS = {}  # whose steps are traced once


def settings(**changes):
    defaults = {"steps": 6, "batch_size": 8, "optimizers": ADAM, "log_every": 2, "checkpoint_every": 2, "keep": 10}
    return TrainingSettings(**(defaults | changes))


def batches_from(number):
    while True:
        yield toy_batch(number)
        number += 1


def trainer_of(given, method=ToyMethod):
    """The same for the same kind of method and settings, on the devices that there are now."""
    key = (method, repr(given), jax.devices()[0])
    if key not in TRAINERS:
        TRAINERS[key] = Trainer(method(), given, SIZE, seed=0)
    return TRAINERS[key]


@contextlib.contextmanager
def opened(folder, **keep):
    """Checkpoints in a folder or a bucket, two of them unless a test keeps others."""
    with contextlib.closing(Checkpoints(folder, Keep(**{"latest": 2} | keep))) as checkpoints:
        yield checkpoints


def members(number):
    return [f"photograph {number}.{place}" for place in range(8)]


def inputs(trainer, batches_from=batches_from):
    """What a run is made of, without weights that nothing trains."""
    given = {"networks": None, "batches_from": batches_from, "members": members}
    return types.SimpleNamespace(trainer=trainer, frozen=trainer.place({}), **given)


def train(folder, given, callbacks=(), method=ToyMethod):
    """Whatever the folder holds, on to the last step; the final state in NumPy."""
    trainer = trainer_of(given, method)
    with opened(folder / "checkpoints", latest=given.keep) as checkpoints:
        Run(inputs(trainer), folder, checkpoints, callbacks).train()
        return jax.device_get(trainer.start(checkpoints))


def toy_sections(training=None, **sections):
    """Of a config of the toy method, trained for one step."""
    optimizers = {update: {"learning_rate": 1e-3} for update in ADAM}
    return {
        "seed": 0,
        "data": {"name": "synthetic_portraits", "size": SIZE, "count": 8, "held_out": 3},
        "holes": {"name": "free_form"},
        "method": {"name": "toy"},
        "training": {"steps": 1, "batch_size": 8, "optimizers": optimizers, "threads": 0, **(training or {})},
        "evaluation": {"edges": (0.1, 0.6), "holes_per_bucket": 2, "batch_size": 3},
        **sections,
    }


def toy_config(training=None, **sections):
    return Config.of(toy_sections(training, **sections))


def state(step):
    """A small one that tells its step."""
    full = np.full((3, 5), step + 0.5, np.float32)
    params = {"generator": {"kernel": full}, "critic": {"kernel": -full}}
    stats, opt = {"generator": {}, "critic": {"u": full[0]}}, {"generator": {"mu": full}}
    return TrainState(*jax.device_put((np.int32(step), params, stats, opt, {"generator": {"kernel": 2 * full}})))


def save(checkpoints, *steps):
    """Each after the one before is written, as where steps take long."""
    for step in steps:
        with checkpoints.finished():
            checkpoints.save(step, state(step))


def like(state):
    """The shapes of a state and where its arrays lie."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state)


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)
