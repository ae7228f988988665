"""FID, KID, U-IDS and P-IDS: how far filled images are from photographs as whole sets, for InceptionV3."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.api import load_features, weights_name
from scan_jax.metrics.api import Embedding, SetMetric
from scan_jax.metrics.distances import frechet_distance, kernel_distance, paired_score, unpaired_score

LAYER, WIDTH = "pool3", 2048
# A plane separates any 2N <= D + 1 vectors in general position, so that both scores would be about 0 by arithmetic.
LEAST_TO_SEPARATE = (WIDTH + 1) // 2 + 1


def open_metrics() -> dict[str, SetMetric]:
    """ "fid", "kid", "u_ids" and "p_ids", of one embedding.

    Raises:
      UserError: the weights of InceptionV3 are missing; it names the file and the command that imports it.
    """
    embedding = open_embedding()
    source = f"InceptionV3 pool3 ({weights_name('inception_v3')}, bilinear resize to 299, as pytorch-fid)"
    return {
        "fid": SetMetric(
            frechet_distance, embedding, 2, "FID", "lower", "", 2, f"Fréchet distance, {source}; depends on n"
        ),
        "kid": SetMetric(
            kernel_distance,
            embedding,
            2,
            "KID",
            "lower",
            "",
            5,
            f"cubic MMD^2 over all images in the public form, {source}; filled images are paired with their "
            "photographs, so identical sets give a negative value",
        ),
        "u_ids": SetMetric(
            unpaired_score,
            embedding,
            LEAST_TO_SEPARATE,
            "U-IDS",
            "higher",
            "%",
            2,
            f"misclassified by the linear SVM fitted to them, {source}",
        ),
        "p_ids": SetMetric(
            paired_score,
            embedding,
            LEAST_TO_SEPARATE,
            "P-IDS",
            "higher",
            "%",
            2,
            f"more real than their photograph to that linear SVM, {source}",
        ),
    }


def open_embedding() -> Embedding:
    """Images to the 2048 numbers that FID compares.

    Raises:
      UserError: the weights are missing.
    """
    features = load_features("inception_v3", (LAYER,))

    @jax.jit
    def embed(parameters: object, image: Array) -> Array:
        # Without it some devices multiply in less than float32. With it, too, last digits depend on the device and on
        # the batch size.
        with jax.default_matmul_precision("highest"):
            return jnp.squeeze(features.apply(parameters, image)[LAYER], (1, 2))  # [B,2048]

    return Embedding("inception_v3", embed, features.params)
