"""Random variables under which a network with batch normalisation keeps the scale of its maps."""

import jax
import numpy as np


def lively_variables(module, *inputs, **options):
    """Kernels by the size of their inputs, scales about 1, biases and running means about 0, variances above 0."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, **options))
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        kind, noise = path[-1].key, rng.standard_normal(leaf.shape)
        if kind == "kernel":
            return (noise * np.sqrt(2 / np.prod(leaf.shape[:3]))).astype(np.float32)
        if kind in ("scale", "variance", "ratio"):
            return (1 + 0.5 * np.tanh(noise)).astype(np.float32)
        return (0.3 * noise).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, {name: shapes[name] for name in ("params", "batch_stats")})
