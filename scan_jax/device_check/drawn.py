"""Inputs of the check, all drawn: networks without a file, photographs, the devices that are compared."""

from __future__ import annotations

import contextlib
import dataclasses
import unittest.mock
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.config import Config, load
from scan_jax.core.errors import UserError
from scan_jax.core.types import Example
from scan_jax.methods.api import GENERATOR, Method, Trees, Update, Variables
from scan_jax.training.step import TrainState, trained_by
from scan_jax.training.trainer import Trainer

# JAX's precision of float32 products; at the default one, NVIDIA's newer GPUs take TF32 and TPUs a bfloat16 pass.
HIGHEST, DEFAULT, BFLOAT16 = "float32, highest", "float32, default", "bfloat16"
PRECISIONS = (HIGHEST, DEFAULT, BFLOAT16)
HALVED = ("gated_conv", "lama", "masked_attention", "scan")  # methods that can compute in bfloat16
BLOCK = 999_983  # numbers that are drawn, and repeated in larger arrays: hundreds of millions would take many seconds
POWER_STEPS = 8  # of a spectral norm's vectors
NO_FEATURES: dict[str, float] = {"perceptual": 0.0, "style": 0.0}


def small(name: str, width: int, precision: str = HIGHEST) -> dict[str, Any]:
    """A config's section of a method, with networks of about so many channels and nothing to download."""
    critic = {"width": width, "critic_width": width}
    sections: dict[str, dict[str, Any]] = {
        "scan": {**critic, "regions": 4, "blocks": 1, "loss": NO_FEATURES},
        "masked_attention": {**critic, "num_labels": 19, "style_size": 2 * width, "label_width": width, "target": 4e-3},
        "gated_conv": {"width": 2 * width, "critic_width": width},
        "lama": {**critic, "blocks": 1, "loss": {"perceptual": 0.0}},
        "migan": {**critic, "halvings": 3, "max_channels": 4 * width, "noise": 4 * width},
        "partial_conv": {"width": width, "depth": 2, "loss": NO_FEATURES},
        "edge_connect": {**critic, "blocks": 1, "sigma": 1.0, "loss": NO_FEATURES},
        "region_norm": {**critic, "blocks": 1},
        "rfr": {"width": 2 * width, "recurrences": 2, "loss": NO_FEATURES},
    }
    sections["masked_attention"] |= {"loss": {"perceptual": 0.0}, "style_search": {"perceptual": 0.0}}
    if width < 8:  # for programs that compile in seconds
        sections["scan"] |= {"stages": 1, "blocks": 0, "attention": ("channel",)}
        sections["rfr"]["recurrences"] = 1
        sections["masked_attention"] |= {"attention": "masked", "loss": {"perceptual": 0.0, "semantic_attention": 0.0}}
    return {"name": name, **sections[name], **_dtype(name, precision)}


def _dtype(name: str, precision: str) -> dict[str, str]:
    """What a method's section says of it; a UserError where bfloat16 is asked of one that has none."""
    if name not in HALVED and precision == BFLOAT16:
        raise UserError(f"{name} computes in float32 alone")
    return {"compute_dtype": "bfloat16" if precision == BFLOAT16 else "float32"} if name in HALVED else {}


def precisions(name: str) -> tuple[str, ...]:
    """Those that a method has."""
    return PRECISIONS if name in HALVED else PRECISIONS[:2]


def at(precision: str) -> Any:
    """A context in which JAX traces products at this precision."""
    return jax.default_matmul_precision("highest" if precision == HIGHEST else "default")


@contextlib.contextmanager
def forms_of_the_device() -> Iterator[None]:
    """A context in which programs have the forms of operations that the default device gets.

    Where that is a CPU, those of accelerators: so even there the forms are compared with each other.
    """
    if jax.default_backend() != "cpu":
        yield
        return
    with unittest.mock.patch.object(jax.lax, "platform_dependent", lambda *given, default, **_: default(*given)):
        jax.clear_caches()  # of what was traced in other forms
        yield
    jax.clear_caches()


def cpu() -> Any:
    """The CPU beside the device, or itself."""
    return jax.local_devices(backend="cpu")[0]


def variables(method: Method, size: int) -> Variables:
    """Networks all of whose parameters are away from zero, gates included, in NumPy."""
    shapes = jax.eval_shape(method.init, jax.random.key(0), example(1, size, method.num_labels))
    return draw(shapes.params, shapes.stats)


def draw(params: Any, stats: Any) -> Variables:
    """Arrays for trees of shapes: numbers that keep activations near one, in NumPy."""
    noise = np.random.default_rng(0).standard_normal(BLOCK, np.float32)

    def one(path: Any, leaf: Any) -> np.ndarray:
        scale = np.float32(0.7 / np.sqrt(max(np.prod(leaf.shape[:-1]), 1)))
        array = scale * np.resize(noise, leaf.shape)
        return np.abs(array) + 0.5 if "variance" in jax.tree_util.keystr(path) else array

    drawn = jax.tree_util.tree_map_with_path(one, (dict(params), dict(stats)))
    for network, tree in drawn[1].items():
        _align(tree.get("spectral", {}), drawn[0][network])
    return Variables(*drawn)


def _align(spectral: dict[str, Any], params: Any) -> None:
    """Spectral vectors that belong to their kernels: divided by any other, networks amplify rounding."""
    for name, node in spectral.items():
        if name == "vectors":
            matrix = params["kernel"].reshape(-1, params["kernel"].shape[-1])
            for _ in range(POWER_STEPS):
                node["v"] = _unit(matrix @ node["u"])
                node["u"] = _unit(matrix.T @ node["v"])
        else:
            _align(node, params[name])


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def frozen(method: Method) -> Trees:
    """Random weights in place of feature networks."""
    return draw(method.frozen_shapes(), {}).params


def state(trainer: Trainer) -> TrainState:
    """A train state on the trainer's devices, without compiling anything; its optimisers are at their start."""
    shapes = trainer.shapes
    networks = draw(shapes.params, shapes.stats)
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), (shapes.step, shapes.opt))
    ema = {GENERATOR: jax.tree.map(np.copy, networks.params[GENERATOR])}
    return jax.device_put(TrainState(blank[0], networks.params, networks.stats, blank[1], ema), trainer.shardings)


def example(batch: int, size: int, num_labels: int = 0) -> Example:
    """Smooth noise [B,S,S,3], a hole over a fifth of it, and labels in squares where there are classes; in NumPy."""
    rng = np.random.default_rng(0)
    coarse = rng.random((batch, 8, 8, 3), np.float32).repeat(size // 8, 1).repeat(size // 8, 2)
    image = 0.8 * coarse + 0.2 * rng.random((batch, size, size, 3), np.float32)
    known = np.ones((batch, size, size, 1), np.float32)
    known[:, size // 4 : 3 * size // 4, size // 3 : 2 * size // 3 + size // 16] = 0
    if not num_labels:
        return Example(jnp.asarray(image), jnp.asarray(known))
    labels = rng.integers(0, num_labels, (batch, 8, 8), np.int32).repeat(size // 8, 1).repeat(size // 8, 2)
    return Example(jnp.asarray(image), jnp.asarray(known), jnp.asarray(labels))


def gradients(updates: Sequence[Update], networks: Variables, frozen: Trees, example: Example, key: Any) -> Any:
    """Of every update at the same parameters, by its name, each with what the one before it carries."""
    found, carried = {}, None
    for update in updates:
        trained = trained_by(networks.params, update.trains)
        others = {**frozen, **{name: tree for name, tree in networks.params.items() if name not in trained}}
        loss = jax.value_and_grad(update.loss, has_aux=True)
        (_, aux), found[update.name] = loss(trained, others, networks.stats, example, carried, key)
        carried = aux.carried
    return found


def config(name: str, precision: str, batch_size: int = 0, *, tiny: bool = False) -> Config:
    """A shipped config at another precision and batch; a tiny one has 64 pixels and few channels."""
    found = load(name)
    method = found.method["name"]
    training = {**found.plain["training"], "batch_size": batch_size or found.training.batch_size}
    plain = {**found.plain, "training": training, "method": {**found.method, **_dtype(method, precision)}}
    if tiny:
        plain |= {"method": small(method, 4, precision), "data": {**found.data, "size": 64}}
    return Config.of(plain)


def bits(tree: Any) -> list[bytes]:
    """Of every array."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(jax.device_get(tree))]


def drawn_photographs(config: Config, count: int = 64) -> Config:
    """The config with photographs and holes that are drawn, in place of those that it names."""
    data: dict[str, Any] = {"name": "synthetic_portraits", "size": config.size, "count": count, "held_out": 2}
    holes: dict[str, Any] = {"name": "free_form", "ratio": (0.1, 0.4)}
    return dataclasses.replace(config, data=data, holes=holes)
