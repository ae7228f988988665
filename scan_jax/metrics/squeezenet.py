"""Distances between whole sets for SqueezeNet, which fits a laptop: stand-ins without InceptionV3's weights.

They are no FID and no KID, and compare with nothing outside a table made with this definition.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.api import load_features, weights_name
from scan_jax.metrics.api import Embedding, SetMetric
from scan_jax.metrics.distances import frechet_distance, paired_kernel_distance

LAYER = "fire9"
LEAST_SIDE = 31  # pixels, for the pooling before it


def open_metrics() -> dict[str, SetMetric]:
    """ "frechet" and "kernel", of one embedding.

    Raises:
      UserError: the weights of SqueezeNet are missing; it names the file and the command that imports it.
    """
    embedding = open_embedding()
    source = f"SqueezeNet 1.1 in Keras' layout ({weights_name('squeezenet')}), mean fire9 activations, 512 numbers"
    return {
        "frechet": SetMetric(
            frechet_distance,
            embedding,
            2,
            "SqueezeNet distance",
            "lower",
            "",
            0,
            f"Fréchet distance, {source}; depends on n",
            LEAST_SIDE,
        ),
        "kernel": SetMetric(
            paired_kernel_distance,
            embedding,
            2,
            "SqueezeNet kernel distance",
            "lower",
            "",
            1,
            f"unbiased cubic MMD^2 over all images but each with its own photograph, 0 for identical sets, {source}",
            LEAST_SIDE,
        ),
    }


def open_embedding() -> Embedding:
    """Images to 512 numbers, each about 1 in the mean on photographs.

    Raises:
      UserError: the weights are missing.
    """
    features = load_features("squeezenet", (LAYER,))

    @jax.jit
    def embed(parameters: object, image: Array) -> Array:
        # Without it some devices multiply in less than float32; with it, sums still differ in their last digits.
        with jax.default_matmul_precision("highest"):
            return jnp.mean(features.apply(parameters, image)[LAYER], axis=(1, 2))  # [B,512]

    return Embedding("squeezenet_fire9", embed, features.params)
