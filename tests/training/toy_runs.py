"""Runs of a toy method in a folder, as the trainer makes them."""

import jax
import numpy as np

from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.guard import Guard
from scan_jax.training.keeping import Keep
from scan_jax.training.loop import Loop
from scan_jax.training.optimizers import OptimizerSettings
from scan_jax.training.scalars import ScalarWriters, forget_after
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import make_trainer

ADAM = {"generator": OptimizerSettings(1e-3), "critic": OptimizerSettings(1e-3)}


def settings(**changes):
    defaults = {"steps": 6, "batch_size": 8, "optimizers": ADAM, "log_every": 2, "checkpoint_every": 2, "keep": 10}
    return TrainingSettings(**(defaults | changes))


def train(method, batches_from, folder, given, callbacks=()):
    """Whatever the folder holds, on to the last step; the final state in NumPy."""
    trainer = make_trainer(method, given, 16, seed=0)
    checkpoints = Checkpoints(folder / "checkpoints", Keep(given.keep))
    state = trainer.start(checkpoints)
    first = int(state.step)
    forget_after(folder, first)
    with ScalarWriters(folder) as writers:
        loop = Loop(given, checkpoints, writers, callbacks, Guard(given.guard))
        state = loop.run(trainer.step_after, state, {}, trainer.feed(batches_from(first)), trainer.key)
    checkpoints.close()
    return jax.device_get(state)


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)
