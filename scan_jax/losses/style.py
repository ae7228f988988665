"""Style loss (SCAN section 3.3, the term L_style): which channels of a frozen network occur together (Gatys 2016)."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.losses.perceptual import check_same_layers
from scan_jax.losses.pixel import absolute_difference

# Feature network -> late activations at strides 2, 4, 8 and 16. VGG-19's are EdgeConnect's; of SqueezeNet, the last at
# each of these strides but the deepest, where, as with VGG, an early one is taken.
STYLE_LAYERS: dict[str, tuple[str, ...]] = {
    "vgg19": ("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
    "squeezenet": ("relu_conv1", "fire3", "fire5", "fire7"),
}


def gram(x: Array) -> Array:
    """sum over h, w of x[h,w,c] x[h,w,d], divided by H W C: [B,H,W,C] -> [B,C,C] float32.

    Raises:
      ValueError: x is not [B,H,W,C].
    """
    if x.ndim != 4:
        raise ValueError(f"gram needs [B,H,W,C], not {x.shape}")
    _, height, width, channels = x.shape
    # The root of H W C on both factors, before the sum: large maps stay far from the ends of the float range.
    scaled = x.astype(jnp.float32) / jnp.sqrt(float(height * width * channels))  # [B,H,W,C]
    return jnp.einsum("bhwc,bhwd->bcd", scaled, scaled, preferred_element_type=jnp.float32)


def style_loss(features_prediction: Mapping[str, Array], features_target: Mapping[str, Array]) -> Array:
    """Sum over layers of mean |gram(prediction) - gram(target)|, each layer weighted 1: a float32 scalar.

    SCAN follows EdgeConnect, where the network sees `prediction * hole` and `target * hole`: hand in the activations of
    those two images, not masked activations of the whole ones.

    Args:
      features_prediction: activations by layer, each [B,h,w,C]; every layer given counts.
      features_target: the same layers of the ground truth.

    Raises:
      ValueError: the layers or their shapes differ, or there is none.
    """
    check_same_layers(features_prediction, features_target)
    distances = [
        jnp.mean(absolute_difference(gram(prediction), gram(features_target[name])))
        for name, prediction in features_prediction.items()
    ]
    return jnp.sum(jnp.stack(distances))
