"""What partial convolution (Liu et al. 2018, section 3.3) trains on, and after it RFR (Li et al. 2020, section 3.3).

Differences on known pixels and in the hole, perceptual and style terms of the prediction and of the completion, and
smoothness. As in the public code of both, every mean is over the whole image, also where a term is of the hole alone.
Other shapes than said are a ValueError.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.losses.features import FEATURE_LOSSES
from scan_jax.losses.pixel import absolute_difference, l1

# Feature network -> its activations that count. Those of VGG-16 are the published ones, poolings to strides 2, 4 and 8;
# SqueezeNet's are late ones at strides 2, 4, 8 and 16.
LAYERS: dict[str, tuple[str, ...]] = {
    "vgg16": ("pool1", "pool2", "pool3"),
    "vgg19": ("pool1", "pool2", "pool3"),
    "squeezenet": ("relu_conv1", "fire3", "fire5", "fire7"),
}

Network = Callable[[Array], Mapping[str, Array]]  # an image -> activations by layer


@dataclasses.dataclass(frozen=True)
class RestorationWeights:
    """The weights of both papers; a term of weight 0 is not computed."""

    valid: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0
    total_variation: float = 0.1


def pixel_terms(prediction: Array, image: Array, known: Array) -> dict[str, Array]:
    """ "valid" and "hole": |prediction - image| on known pixels and in the hole, zero elsewhere; unreduced.

    [B,H,W,3] twice, known [B,H,W,1] -> [B,H,W,3] float32 each.
    """
    difference = l1(prediction, image)
    if known.shape != (*image.shape[:3], 1):
        raise ValueError(f"images {image.shape} need known [B,H,W,1], not {known.shape}")
    return {"valid": difference * known, "hole": difference * (1 - known)}


def feature_terms(
    network: Network, prediction: Array, completion: Array, image: Array, wanted: Collection[str]
) -> dict[str, Array]:
    """ "perceptual" and "style", each the sum of the prediction's and the completion's, as float32 scalars.

    Images are [B,H,W,3]. Without any of these two among the terms `wanted`, the frozen network is not called.
    """
    losses = {name: loss for name, loss in FEATURE_LOSSES.items() if name in wanted}
    if not losses:
        return {}
    raw, completed, truth = network(prediction), network(completion), network(image)
    return {name: loss(raw, truth) + loss(completed, truth) for name, loss in losses.items()}


def total_variation(image: Array) -> Array:
    """mean |difference to the pixel below| + mean |difference to the pixel on the right|: [B,H,W,C] -> float32 scalar.

    Of at least 2x2 pixels.
    """
    if image.ndim != 4 or min(image.shape[1:3]) < 2:
        raise ValueError(f"total variation needs [B,H,W,C] of at least 2x2 pixels, not {image.shape}")
    down = absolute_difference(image[:, 1:], image[:, :-1])
    across = absolute_difference(image[:, :, 1:], image[:, :, :-1])
    return jnp.mean(down) + jnp.mean(across)
