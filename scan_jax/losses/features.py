"""Losses on activations of a network: perceptual and style (SCAN, section 3.3), and feature matching of a critic.

Activations come by layer, each [B,h,w,C], those of the prediction and those of the same layers of the ground truth;
every layer given counts, and `select` picks them. It is a ValueError where layers or shapes differ, or there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.losses.pixel import absolute_difference

# Feature network -> the first activation of each of its scales. VGG-19's are EdgeConnect's. SqueezeNet has four scales
# (strides 2, 4, 8, 16); its last, which takes the place of VGG's blocks at strides 8 and 16, is met twice.
PERCEPTUAL_LAYERS: dict[str, tuple[str, ...]] = {
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "squeezenet": ("relu_conv1", "fire2", "fire4", "fire6", "fire8"),
}
# Feature network -> late activations at strides 2, 4, 8 and 16. VGG-19's are EdgeConnect's; of SqueezeNet, the last at
# each of these strides but the deepest, where, as with VGG, an early one is taken.
STYLE_LAYERS: dict[str, tuple[str, ...]] = {
    "vgg19": ("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
    "squeezenet": ("relu_conv1", "fire3", "fire5", "fire7"),
}
# Weights of the perceptual layers, from the first: pix2pixHD's and its descendants', SPADE and SEAN among them.
DEEP_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def perceptual_loss(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> Array:
    """Sum over layers of mean |prediction - target|, each layer weighted 1 (EdgeConnect): a float32 scalar."""
    return jnp.mean(perceptual_distance(features_prediction, features_target, dict.fromkeys(features_prediction, 1.0)))


def perceptual_distance(
    features_prediction: Mapping[str, Array], features_target: Mapping[str, Array], weights: Mapping[str, float]
) -> Array:
    """Sum over layers of the layer's weight * mean |prediction - target|, for each image: float32 [B]."""
    check_same_layers(features_prediction, features_target)
    if set(weights) != set(features_prediction):
        raise ValueError(f"weights are for {sorted(weights)}, activations for {sorted(features_prediction)}")
    distances = [
        weights[name] * jnp.mean(absolute_difference(prediction, features_target[name]), axis=(1, 2, 3))  # [B]
        for name, prediction in features_prediction.items()
    ]
    return jnp.sum(jnp.stack(distances), axis=0)


def style_loss(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> Array:
    """Sum over layers of mean |gram(prediction) - gram(target)|, each layer weighted 1: a float32 scalar.

    SCAN follows EdgeConnect, where the network sees `prediction * hole` and `target * hole`: hand in the activations of
    those two images, not masked activations of the whole ones.
    """
    check_same_layers(features_prediction, features_target)
    distances = [
        jnp.mean(absolute_difference(gram(prediction), gram(features_target[name])))
        for name, prediction in features_prediction.items()
    ]
    return jnp.sum(jnp.stack(distances))


FEATURE_LOSSES = {"perceptual": perceptual_loss, "style": style_loss}


def gram(x: Array) -> Array:
    """sum over h, w of x[h,w,c] x[h,w,d], divided by H W C: [B,H,W,C] -> [B,C,C] float32."""
    if x.ndim != 4:
        raise ValueError(f"gram needs [B,H,W,C], not {x.shape}")
    _, height, width, channels = x.shape
    # The root of H W C on both factors, before the sum: large maps stay far from the ends of the float range.
    scaled = x.astype(jnp.float32) / jnp.sqrt(float(height * width * channels))  # [B,H,W,C]
    return jnp.einsum("bhwc,bhwd->bcd", scaled, scaled, preferred_element_type=jnp.float32)


def select(features: Mapping[str, Array], layers: tuple[str, ...]) -> dict[str, Array]:
    """Only the activations of `layers`, from a network that also ran for other losses."""
    absent = [name for name in layers if name not in features]
    if absent:
        raise ValueError(f"the layers {absent} were not computed; there are {sorted(features)}")
    return {name: features[name] for name in layers}


def check_same_layers(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> None:
    """Refuses two sets of activations that do not belong together."""
    if set(features_prediction) != set(features_target) or not features_prediction:
        raise ValueError(f"layers differ or are none: {sorted(features_prediction)} and {sorted(features_target)}")
    for name, prediction in features_prediction.items():
        if prediction.shape != features_target[name].shape or prediction.ndim != 4:
            raise ValueError(
                f"{name} needs two equal shapes [B,h,w,C], not {prediction.shape} and {features_target[name].shape}"
            )


def feature_matching(fake: Sequence[Sequence[Array]], real: Sequence[Sequence[Array]]) -> Array:
    """Sum over a critic's layers of mean |fake - real|, averaged over its scales: a float32 scalar.

    Of each scale, the activations [B,h,w,C] on completions and on real images, to which no gradient flows. The last
    ones are its logits, and do not count. The released code of masked attention adds it to the hinge loss, weighted 10.
    """
    _check_scales(fake, real)
    scales = [
        sum(
            jnp.mean(absolute_difference(found, jax.lax.stop_gradient(wanted)))
            for found, wanted in zip(fake_layers[:-1], real_layers[:-1])
        )
        for fake_layers, real_layers in zip(fake, real)
    ]
    return jnp.mean(jnp.stack(scales))


def _check_scales(fake: Sequence[Sequence[Array]], real: Sequence[Sequence[Array]]) -> None:
    shapes = [[[layer.shape for layer in scale] for scale in features] for features in (fake, real)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"features of fake and real images must have equal shapes, not {shapes[0]} and {shapes[1]}")
    if not fake or any(len(scale) < 2 for scale in fake):
        raise ValueError("feature matching needs at least one scale, each with a layer before the logits")


def match_layers(fake: Sequence[Array], real: Sequence[Array]) -> Array:
    """Sum over all the layers given of mean |fake - real|, the logits among them (EdgeConnect): a float32 scalar.

    No gradient flows into `real`.
    """
    if not fake or [layer.shape for layer in fake] != [layer.shape for layer in real]:
        raise ValueError("layers of fake and real images must be as many and of equal shapes, at least one")
    return jnp.sum(jnp.stack([jnp.mean(absolute_difference(a, jax.lax.stop_gradient(b))) for a, b in zip(fake, real)]))
