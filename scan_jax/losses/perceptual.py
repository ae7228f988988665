"""Perceptual loss (SCAN section 3.3, the term L_perc): how far two images are apart for a frozen network."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.losses.pixel import absolute_difference

# Feature network -> the first activation of each of its scales. VGG-19's are EdgeConnect's. SqueezeNet has four scales
# (strides 2, 4, 8, 16); its last, which takes the place of VGG's blocks at strides 8 and 16, is met twice.
PERCEPTUAL_LAYERS: dict[str, tuple[str, ...]] = {
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "squeezenet": ("relu_conv1", "fire2", "fire4", "fire6", "fire8"),
}
# Of these layers, from the first: pix2pixHD's and its descendants', SPADE and SEAN among them.
DEEP_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def perceptual_loss(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> Array:
    """Sum over layers of mean |prediction - target|, each layer weighted 1 (EdgeConnect): a float32 scalar.

    Args:
      features_prediction: activations by layer, each [B,h,w,C]. Every layer given counts: `select` picks them.
      features_target: the same layers of the ground truth.

    Raises:
      ValueError: the layers or their shapes differ, or there is none.
    """
    return jnp.mean(perceptual_distance(features_prediction, features_target, dict.fromkeys(features_prediction, 1.0)))


def perceptual_distance(
    features_prediction: Mapping[str, Array], features_target: Mapping[str, Array], weights: Mapping[str, float]
) -> Array:
    """Sum over layers of weight * mean |prediction - target|, for each image: float32 [B].

    Args:
      features_prediction: activations by layer, each [B,h,w,C].
      features_target: the same layers of the ground truth.
      weights: of the same layers.

    Raises:
      ValueError: the layers or their shapes differ, or there is none.
    """
    check_same_layers(features_prediction, features_target)
    if set(weights) != set(features_prediction):
        raise ValueError(f"weights are for {sorted(weights)}, activations for {sorted(features_prediction)}")
    distances = [
        weights[name] * jnp.mean(absolute_difference(prediction, features_target[name]), axis=(1, 2, 3))  # [B]
        for name, prediction in features_prediction.items()
    ]
    return jnp.sum(jnp.stack(distances), axis=0)


def select(features: Mapping[str, Array], layers: tuple[str, ...]) -> dict[str, Array]:
    """Only the activations of `layers`, from a network that also ran for other losses.

    Raises:
      ValueError: a layer is not among `features`.
    """
    absent = [name for name in layers if name not in features]
    if absent:
        raise ValueError(f"the layers {absent} were not computed; there are {sorted(features)}")
    return {name: features[name] for name in layers}


def check_same_layers(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> None:
    """Refuses two sets of activations that do not belong together.

    Raises:
      ValueError: the layers or their shapes differ, an activation is not [B,h,w,C], or there is none.
    """
    if set(features_prediction) != set(features_target) or not features_prediction:
        raise ValueError(f"layers differ or are none: {sorted(features_prediction)} and {sorted(features_target)}")
    for name, prediction in features_prediction.items():
        if prediction.shape != features_target[name].shape or prediction.ndim != 4:
            raise ValueError(
                f"{name} needs two equal shapes [B,h,w,C], not {prediction.shape} and {features_target[name].shape}"
            )
