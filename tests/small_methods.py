"""Every method of the registry, as small as it makes sense, real batches for it, and steps on one example."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Example
from scan_jax.data.api import open_data
from scan_jax.data.pipeline import training_batches
from scan_jax.masks.api import open_holes
from scan_jax.methods import api
from scan_jax.training.step import initial_state, make_step
from scan_jax.training.trainer import updates_in

NO_FEATURES = {"perceptual": 0.0}
LABELLED = {"num_labels": 19, "width": 2, "style_size": 8, "label_width": 4, "target": 4e-3}
MATCHING = {**NO_FEATURES, "feature_matching": 1.0, "adversarial": 0.1}
SMALL = {
    "scan": {"width": 4, "critic_width": 4, "regions": 3, "blocks": 1, "loss": {**NO_FEATURES, "style": 0.0}},
    "masked_attention": {**LABELLED, "critic_width": 4, "loss": MATCHING, "style_search": NO_FEATURES},
    "gated_conv": {"width": 8, "critic_width": 4, "loss": {"adversarial": 3.0}},
    "lama": {"width": 4, "critic_width": 4, "blocks": 1, "loss": NO_FEATURES},
    "migan": {"width": 4, "critic_width": 4, "halvings": 3, "max_channels": 16, "noise": 16},
    "partial_conv": {"width": 4, "depth": 2, "loss": {**NO_FEATURES, "style": 0.0}},
    "edge_connect": {"width": 4, "critic_width": 4, "blocks": 1, "sigma": 1.0, "loss": {**NO_FEATURES, "style": 0.0}},
    "region_norm": {"width": 4, "critic_width": 4, "blocks": 1},
    "rfr": {"width": 8, "recurrences": 2, "loss": {**NO_FEATURES, "style": 0.0}},
}


def registered():
    return set(api.METHODS)


def small_method(name, **changes):
    """The method called `name` with all its updates and nothing to download."""
    return api.build_method({"name": name, **SMALL[name], **changes})


def phase_begins(method):
    """Each of the method's phases begins a step after the one before it."""
    names = dict.fromkeys(update.phase for update in method.updates if update.phase)
    return {name: begin for begin, name in enumerate(names)}


def portrait_batches(method, count, *, size, batch_size=8, seed=0, photographs=32):
    """So many batches of synthetic portraits, with labels where the method takes them, and free-form holes."""
    data = open_data({"name": "synthetic_portraits", "size": size, "count": photographs, "held_out": 1})
    holes = open_holes({"name": "free_form", "ratio": (0.1, 0.4)})
    given = {"batch_size": batch_size, "seed": seed, "start_step": 0, "size": size, "threads": 0}
    reading = training_batches(data.train, holes.train, **given)
    batches = list(itertools.islice(reading, count))
    reading.close()
    return [batch if method.num_labels else dataclasses.replace(batch, labels=None) for batch in batches]


def noise_example(size=32, *, hole=np.s_[5:20, 10:25], num_labels=0):
    """Two images of noise [2,S,S,3], both with this hole; where there are classes, labels in squares of S/8 pixels."""
    image = jax.random.uniform(jax.random.key(2), (2, size, size, 3))
    known = jnp.ones((2, size, size, 1)).at[:, *hole].set(0)
    if not num_labels:
        return Example(image, known)
    squares = jax.random.randint(jax.random.key(5), (2, 8, 8), 0, num_labels)
    return Example(image, known, squares.repeat(size // 8, 1).repeat(size // 8, 2))


def begin(method, example, optimizer, **others):
    """A fresh train state, and `step(state, frozen, example, key, phase="")`; `others` are optimizers by update."""
    optimizers = {update.name: others.get(update.name, optimizer) for update in method.updates}
    state = jax.jit(lambda key: initial_state(method, optimizers, example, key))(jax.random.key(0))

    @jax.jit(static_argnames="phase")
    def step(state, frozen, example, key, phase=""):
        return make_step(updates_in(method.updates, phase), optimizers, 0.9)(state, frozen, example, key)

    return state, step


def random_features(method, example):
    """Frozen networks with random weights, for a method whose losses look through one."""
    return {"features": jax.jit(method.features.network.init)(jax.random.key(3), example.image)["params"]}


def loss_of(update, networks, example, *, carried=None, frozen=None, slopes=False):
    """(loss, aux) of one update, or ((loss, aux), gradient) with `slopes`; `networks` has params and stats."""
    trained = {name: networks.params[name] for name in update.trains}
    others = {name: tree for name, tree in networks.params.items() if name not in trained} | (frozen or {})
    loss = jax.value_and_grad(update.loss, has_aux=True) if slopes else update.loss
    return jax.jit(loss)(trained, others, networks.stats, example, carried, jax.random.key(1))


def take_steps(step, state, example, count=8, phase=""):
    """The state after so many of `begin`'s steps on one example, and the scalars of each."""
    scalars = []
    for _ in range(count):
        state, found = step(state, {}, example, jax.random.key(1), phase=phase)
        scalars.append(jax.device_get(found))
    return state, scalars


def moved(before, after):
    """Of each array of two trees, whether any of its numbers changed; trees without arrays are refused."""
    changed = jax.tree.leaves(jax.tree.map(lambda a, b: not np.array_equal(a, b), before, after))
    assert changed, "there is nothing to compare"
    return changed


def shaken(state, deviation, seed):
    """A train state in NumPy with noise on all parameters: when a run begins, gates of zero hide half of a method."""
    draw = np.random.default_rng(seed)
    params = jax.tree.map(lambda leaf: leaf + draw.normal(0, deviation, leaf.shape).astype(np.float32), state.params)
    return dataclasses.replace(state, params=params, ema={"generator": params["generator"]})


def worst(tree, other):
    """The largest absolute difference between two trees, infinite where a number is not one."""
    differences = jax.tree.map(lambda a, b: np.abs(np.subtract(a, b, dtype=np.float64)).max(initial=0), tree, other)
    return float(np.nan_to_num(jax.tree.leaves(differences), nan=np.inf).max())
