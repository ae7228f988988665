"""SqueezeNet 1.1 (Iandola et al. 2016) in Keras' layout, without its top: light features for a laptop.

As the losses use them, 29 times fewer parameters than VGG-19 and a hundredth of the arithmetic for a 64x64 image.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.inception_v3 import max_pool

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

# Mean activations on photographs (faces and facades, 128x128), by which they are divided: fed with 0..255, this network
# speaks up to 36 times louder than a normalised one, and loss weights tuned on VGG-19 would drown every other term.
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
    """Named activations of an image, each divided by `SCALES`, so that all are about 1 in the mean on photographs.

    Nothing beyond the deepest layer asked for is computed or has parameters.

    Attributes:
      layers: which of `LAYERS`, in any order.
      dtype: of the convolutions and of what comes back; parameters stay float32.
    """

    layers: tuple[str, ...]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] RGB in [0, 1] -> {"relu_conv1": [B,(H-1)//2,(W-1)//2,64], "fire2": [B,h,w,128], ...}.

        Raises:
          ValueError: another rank or channel count, an unknown layer, or an image too small for the deepest layer.
        """
        _check(image, self.layers)
        mean = jnp.asarray(MEAN_BGR, jnp.float32).reshape(1, 1, 1, 3)
        x = (255.0 * image[..., ::-1] - mean).astype(self.dtype)  # BGR
        x = jax.nn.relu(nn.Conv(64, (3, 3), strides=(2, 2), padding="VALID", dtype=self.dtype, name="conv1")(x))
        found = {"relu_conv1": x / SCALES["relu_conv1"]} if "relu_conv1" in self.layers else {}
        for name, (squeezed, expanded) in FIRES.items():
            if len(found) == len(set(self.layers)):
                break
            x = max_pool(x, 3) if name in POOLED else x
            x = Fire(squeezed, expanded, dtype=self.dtype, name=name)(x)  # [B,h,w,2*expanded]
            if name in self.layers:
                found[name] = x / SCALES[name]
        return found


NETWORK = SqueezeNet  # what `features.api` builds


def _check(image: Array, layers: tuple[str, ...]) -> None:
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"SqueezeNet needs images [B,H,W,3], not {image.shape}")
    if min(image.shape[1:3]) < 3:
        raise ValueError(f"SqueezeNet needs images of at least 3x3 pixels, not {image.shape}")
    if not layers or set(layers) - set(LAYERS):
        raise ValueError(f"SqueezeNet has the layers {LAYERS}, at least one must be asked for, not {layers}")
