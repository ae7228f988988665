"""Random variables of a module, made without running it."""

from typing import Any

import jax
import numpy as np


def random_variables(module: Any, *inputs: Any, scale: float = 0.2, **options: Any) -> dict[str, Any]:
    """Random parameters, fresh running statistics, and vectors near the leading singular ones of spectral kernels."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, **options))
    rng = np.random.default_rng(0)
    draw = lambda leaf: (scale * rng.standard_normal(leaf.shape)).astype(np.float32)  # noqa: E731
    params = jax.tree.map(draw, shapes["params"])
    made = {"params": params}
    if "batch_stats" in shapes:
        made["batch_stats"] = jax.tree_util.tree_map_with_path(_fresh, shapes["batch_stats"])
    if "spectral" in shapes:
        made["spectral"] = _vectors(shapes["spectral"], params)
    return made


def _fresh(path, leaf):
    return np.full(leaf.shape, path[-1].key == "variance", np.float32)


def _vectors(shapes, params):
    if "vectors" not in shapes:
        return {name: _vectors(shape, params[name]) for name, shape in shapes.items()}
    left, _, right = np.linalg.svd(params["kernel"].reshape(-1, params["kernel"].shape[-1]), full_matrices=False)
    return {"vectors": {"v": _near(left[:, 0]), "u": _near(right[0])}}  # so that a step in training moves them


def _near(vector):
    moved = vector + 0.3 * np.random.default_rng(vector.size).standard_normal(vector.size) / vector.size**0.5
    return (moved / np.linalg.norm(moved)).astype(np.float32)
