"""Bundles of networks with random weights, as small as they get: what a page is tested with."""

import jax
import jax.numpy as jnp
import numpy as np
from small_methods import SMALL, small_method

from scan_jax.inference.trained import GENERATOR
from scan_jax.types import Example
from scan_jax.weights import bundle


def write_bundle(folder, name, size=32):
    """A bundle of the method called `name`, which --run takes."""
    method = small_method(name)
    image, known = jnp.zeros((1, size, size, 3)), jnp.ones((1, size, size, 1))
    labels = jnp.zeros((1, size, size), jnp.int32) if method.num_labels else None
    variables = jax.device_get(jax.jit(method.init)(jax.random.key(0), Example(image, known, labels)))
    draw = np.random.default_rng(0)  # gates of zero would hide half of a method
    params = jax.tree.map(
        lambda leaf: leaf + draw.normal(0, 0.05, leaf.shape).astype(np.float32), variables.params[GENERATOR]
    )
    config = {"method": {"name": name, **SMALL[name]}, "data": {"name": "synthetic_portraits", "size": size}}
    tree = {"params": {GENERATOR: params}, "stats": {GENERATOR: variables.stats.get(GENERATOR, {})}}
    bundle.save(folder, config, tree, {})
    return folder
