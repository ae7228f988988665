"""VGG-19 (Simonyan & Zisserman 2015) up to its last ReLU, for perceptual and style losses."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.features._pooling import max_pool
from scan_jax.types import Array

# block -> (channels, convolutions)
BLOCKS = {1: (64, 2), 2: (128, 2), 3: (256, 4), 4: (512, 4), 5: (512, 4)}
LAYERS = tuple(f"relu{block}_{i}" for block, (_, depth) in BLOCKS.items() for i in range(1, depth + 1))

# ImageNet's statistics of RGB in [0, 1], as torchvision trained with
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class VGG19(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters.

    Attributes:
      layers: which of `LAYERS`, in any order.
      dtype: of the convolutions and of what comes back; parameters stay float32.
    """

    layers: tuple[str, ...]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> {"relu<b>_<i>": [B,H/2^(b-1),W/2^(b-1),C]}, halved heights rounded down.

        Raises:
          ValueError: another rank or channel count, an unknown layer, or an image too small for the deepest layer.
        """
        _check(image, self.layers)
        x = ((image - _rgb(MEAN)) / _rgb(STD)).astype(self.dtype)
        found: dict[str, Array] = {}
        for block, (width, depth) in BLOCKS.items():
            x = x if block == 1 else max_pool(x, 2)  # [B,H/2^(block-1),W/2^(block-1),C]
            for i in range(1, depth + 1):
                convolution = nn.Conv(
                    width, (3, 3), padding=((1, 1), (1, 1)), dtype=self.dtype, name=f"conv{block}_{i}"
                )
                x = jax.nn.relu(convolution(x))
                if f"relu{block}_{i}" in self.layers:
                    found[f"relu{block}_{i}"] = x
                if len(found) == len(set(self.layers)):
                    return found
        return found


NETWORK = VGG19  # what `features.api` builds


def _rgb(values: tuple[float, float, float]) -> Array:
    """Three numbers as [1,1,1,3]."""
    return jnp.asarray(values, jnp.float32).reshape(1, 1, 1, 3)


def _check(image: Array, layers: tuple[str, ...]) -> None:
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"VGG-19 needs images [B,H,W,3], not {image.shape}")
    if not layers or set(layers) - set(LAYERS):
        raise ValueError(f"VGG-19 has the layers {LAYERS}, at least one must be asked for, not {layers}")
