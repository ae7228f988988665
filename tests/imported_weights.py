"""Weights of feature networks, drawn instead of trained, in files as the importers leave them."""

import jax
import numpy as np

from scan_jax.features.api import FeatureSettings, LossFeatures
from scan_jax.weights import safetensors_tree


def save_weights(path, name, layers):
    """Kernels that keep a signal's size, and biases of zero, of the network cut after these layers."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        if leaf.ndim == 1:
            return np.zeros(leaf.shape, np.float32)
        return rng.standard_normal(leaf.shape, np.float32) * np.float32((2 / np.prod(leaf.shape[:-1])) ** 0.5)

    params = jax.tree.map(draw, LossFeatures(FeatureSettings(name), layers).shapes())
    safetensors_tree.save(path, params, {"network": name})
    return params
