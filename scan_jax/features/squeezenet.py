"""SqueezeNet 1.1 (Iandola et al. 2016) without its top, as Keras and as torchvision have it.

"squeezenet" is Keras' and gives light features for a laptop: as the losses use them, 29 times fewer parameters than
VGG-19 and a hundredth of the arithmetic for a 64x64 image. "squeezenet1_1" is torchvision's, for LPIPS: other weights,
another input, and poolings that round up.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.common import check_request, max_pool, max_pool_rounding_up
from scan_jax.ops.imagenet import normalize

# fire module -> (squeezed channels, channels of each expanding convolution)
FIRES = {
    "fire2": (16, 64),
    "fire3": (16, 64),
    "fire4": (32, 128),
    "fire5": (32, 128),
    "fire6": (48, 192),
    "fire7": (48, 192),
    "fire8": (64, 256),
    "fire9": (64, 256),
}
POOLED = ("fire2", "fire4", "fire6")  # these come after a pooling
LAYERS = ("relu_conv1", *FIRES)
TITLES = {"squeezenet": "SqueezeNet", "squeezenet1_1": "SqueezeNet 1.1"}

# Mean activations of Keras' network on photographs (faces and facades, 128x128), by which they are divided: fed with
# 0..255, it speaks up to 36 times louder than a normalised one, and loss weights tuned on VGG-19
# would drown every other term.
SCALES = {
    "relu_conv1": 15.0,
    "fire2": 28.0,
    "fire3": 29.0,
    "fire4": 36.0,
    "fire5": 24.0,
    "fire6": 29.0,
    "fire7": 16.0,
    "fire8": 15.0,
    "fire9": 1.6,
}

MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, in 0..255, as the weights were trained with


class Fire(nn.Module):
    """A 1x1 convolution that squeezes, then 1x1 and 3x3 ones side by side that expand."""

    squeezed: int
    expanded: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,2*expanded]."""
        x = jax.nn.relu(nn.Conv(self.squeezed, (1, 1), dtype=self.dtype, name="squeeze1x1")(x))  # [B,H,W,squeezed]
        one = nn.Conv(self.expanded, (1, 1), dtype=self.dtype, name="expand1x1")(x)
        three = nn.Conv(self.expanded, (3, 3), padding=((1, 1), (1, 1)), dtype=self.dtype, name="expand3x3")(x)
        return jax.nn.relu(jnp.concatenate([one, three], axis=-1))


class SqueezeNet(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters."""

    layers: tuple[str, ...]  # which of `LAYERS`, in any order
    dtype: Any = jnp.float32  # of the convolutions and of what comes back; parameters stay float32
    # "squeezenet" of Keras, whose activations are divided by `SCALES` and are about 1 in the mean on photographs,
    # or "squeezenet1_1" of torchvision.
    variant: str = "squeezenet"

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] RGB in [0, 1] -> {"relu_conv1": [B,(H-1)//2,(W-1)//2,64], "fire2": [B,h,w,128], ...}."""
        check_request(TITLES[self.variant], image, self.layers, LAYERS, min_side=3)
        keras = self.variant == "squeezenet"
        x = (_keras_input(image) if keras else normalize(image)).astype(self.dtype)
        x = jax.nn.relu(nn.Conv(64, (3, 3), strides=(2, 2), padding="VALID", dtype=self.dtype, name="conv1")(x))
        found = {"relu_conv1": x} if "relu_conv1" in self.layers else {}
        for name, (squeezed, expanded) in FIRES.items():
            if len(found) == len(set(self.layers)):
                break
            if name in POOLED:
                x = max_pool(x, 3) if keras else max_pool_rounding_up(x, 3)
            x = Fire(squeezed, expanded, dtype=self.dtype, name=name)(x)  # [B,h,w,2*expanded]
            if name in self.layers:
                found[name] = x
        return {name: x / SCALES[name] for name, x in found.items()} if keras else found


def _keras_input(image: Array) -> Array:
    """[B,H,W,3] RGB in [0, 1] -> BGR in 0..255 less its mean."""
    mean = jnp.asarray(MEAN_BGR, jnp.float32).reshape(1, 1, 1, 3)
    return 255.0 * image[..., ::-1] - mean
