"""What VGG-16 and VGG-19 (Simonyan & Zisserman 2015) share: five blocks of 3x3 convolutions, halved in between."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.features._imagenet import normalize
from scan_jax.features._pooling import max_pool
from scan_jax.types import Array

WIDTHS = (64, 128, 256, 512, 512)  # channels of the five blocks


def layer_names(depths: tuple[int, ...]) -> tuple[str, ...]:
    """ "relu1_1", "relu1_2", "relu2_1", ... of blocks with so many convolutions."""
    return tuple(f"relu{block}_{i}" for block, depth in enumerate(depths, start=1) for i in range(1, depth + 1))


class VGG(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters.

    Attributes:
      layers: which of `layer_names(depths)`, in any order.
      dtype: of the convolutions and of what comes back; parameters stay float32.
      title: what the network is called in messages.
      depths: convolutions in each block.
    """

    title: ClassVar[str]
    depths: ClassVar[tuple[int, ...]]

    layers: tuple[str, ...]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> {"relu<b>_<i>": [B,H/2^(b-1),W/2^(b-1),C]}, halved heights rounded down.

        Raises:
          ValueError: another rank or channel count, an unknown layer, or an image too small for the deepest layer.
        """
        self._check(image)
        x = normalize(image).astype(self.dtype)
        found: dict[str, Array] = {}
        for block, (width, depth) in enumerate(zip(WIDTHS, self.depths), start=1):
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

    def _check(self, image: Array) -> None:
        if image.ndim != 4 or image.shape[-1] != 3:
            raise ValueError(f"{self.title} needs images [B,H,W,3], not {image.shape}")
        names = layer_names(self.depths)
        if not self.layers or set(self.layers) - set(names):
            raise ValueError(f"{self.title} has the layers {names}, at least one must be asked for, not {self.layers}")
