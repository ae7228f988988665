"""Networks of a few channels with random parameters, as trained ones look to those who fill, export and load."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Example
from scan_jax.inference.trained import Trained
from scan_jax.methods.api import Variables, build_method

NO_FEATURES = {"perceptual": 0.0}
SCAN = {"name": "scan", "width": 4, "critic_width": 4, "regions": 3, "blocks": 1}
SCAN["loss"] = {**NO_FEATURES, "style": 0.0, "adversarial": 0.0}
PLAIN = {**SCAN, "stages": 1, "blocks": 0, "attention": ()}  # compiles fastest
MASKED_ATTENTION = {"name": "masked_attention", "num_labels": 3, "width": 4, "style_size": 6, "label_width": 4}
MASKED_ATTENTION |= {"critic_width": 4, "target": 4e-3, "style_search": NO_FEATURES}
MASKED_ATTENTION["loss"] = {**NO_FEATURES, "adversarial": 0.0, "semantic_attention": 0.0}


def small_trained(section, folder=Path("runs/small"), *, seed=0, size=32, step=7):
    """A network whose parameters are all away from zero, gates included."""
    method = build_method(section)
    image = jnp.zeros((1, 64, 64, 3))
    labels = jnp.zeros((1, 64, 64), jnp.int32) if method.num_labels else None
    shapes = jax.eval_shape(method.init, jax.random.key(0), Example(image, jnp.zeros((1, 64, 64, 1)), labels))
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        array = (0.7 * rng.normal(size=leaf.shape) / np.sqrt(max(np.prod(leaf.shape[:-1]), 1))).astype(leaf.dtype)
        return np.abs(array) + 0.5 if "variance" in jax.tree_util.keystr(path) else array

    drawn = jax.tree_util.tree_map_with_path(draw, dataclasses.asdict(shapes))
    for network, stats in drawn["stats"].items():
        _align(stats.get("spectral", {}), drawn["params"][network])
    config = {"method": section, "data": {"name": "synthetic_portraits", "size": size}, "holes": {"name": "free_form"}}
    return Trained(config, method, Variables(drawn["params"], drawn["stats"]), size, step, folder)


def _align(spectral, params):
    """Spectral vectors that belong to their kernels: divided by anything else, networks amplify rounding."""
    for name, node in spectral.items():
        if name == "vectors":
            matrix = params["kernel"].reshape(-1, params["kernel"].shape[-1])
            left, _, right = np.linalg.svd(matrix, full_matrices=False)
            node["v"], node["u"] = left[:, 0], right[0]
        else:
            _align(node, params[name])


def observation(shape, num_labels=0, seed=0):
    """Noise [B,H,W,3], known [B,H,W,1] with a hole in each image, and labels [B,H,W] or None."""
    rng = np.random.default_rng(seed)
    known = (rng.random((*shape, 1)) > 0.1).astype(np.float32)
    known[:, shape[1] // 4 :, shape[2] // 3 :] = 0  # large, so that something of it is left at every stride
    labels = rng.integers(0, num_labels, shape, np.int32) if num_labels else None
    return rng.random((*shape, 3), np.float32), known, labels
