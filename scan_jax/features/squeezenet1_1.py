"""SqueezeNet 1.1 (Iandola et al. 2016) as torchvision has it, for LPIPS: its own weights, poolings that round up.

`squeezenet` is the same network in Keras' layout, with other weights, another input and poolings that round down.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.inception_v3 import max_pool_rounding_up
from scan_jax.features.squeezenet import FIRES, LAYERS, POOLED, Fire
from scan_jax.ops.imagenet import normalize


class SqueezeNet11(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters.

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
        x = normalize(image).astype(self.dtype)
        x = jax.nn.relu(nn.Conv(64, (3, 3), strides=(2, 2), padding="VALID", dtype=self.dtype, name="conv1")(x))
        found = {"relu_conv1": x} if "relu_conv1" in self.layers else {}
        for name, (squeezed, expanded) in FIRES.items():
            if len(found) == len(set(self.layers)):
                break
            x = max_pool_rounding_up(x, 3) if name in POOLED else x
            x = Fire(squeezed, expanded, dtype=self.dtype, name=name)(x)  # [B,h,w,2*expanded]
            if name in self.layers:
                found[name] = x
        return found


NETWORK = SqueezeNet11  # what `features.api` builds


def _check(image: Array, layers: tuple[str, ...]) -> None:
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"SqueezeNet 1.1 needs images [B,H,W,3], not {image.shape}")
    if min(image.shape[1:3]) < 3:
        raise ValueError(f"SqueezeNet 1.1 needs images of at least 3x3 pixels, not {image.shape}")
    if not layers or set(layers) - set(LAYERS):
        raise ValueError(f"SqueezeNet 1.1 has the layers {LAYERS}, at least one must be asked for, not {layers}")
