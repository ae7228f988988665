"""InceptionV3 (Szegedy et al. 2016) as FID sees it: the network of TensorFlow's 2015 release, in pytorch-fid's layout.

It is not torchvision's: average poolings leave the padding out of the mean, and the last block has a max pooling in
the place of one (an oddity of the release, without which no FID is comparable). Batch normalisation is folded into the
convolutions where the weights are imported.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features._inception_blocks import (
    BlockA,
    BlockB,
    BlockC,
    BlockD,
    BlockE,
    Unit,
    largest_of_neighbours,
    mean_of_neighbours,
)
from scan_jax.features._pooling import max_pool

LAYERS = ("pool3",)
SIDE = 299  # pixels, whatever comes in


class InceptionV3(nn.Module):
    """The 2048 means over the last maps, "pool3".

    Attributes:
      layers: ("pool3",).
      dtype: of the convolutions and of what comes back; parameters stay float32.
    """

    layers: tuple[str, ...] = LAYERS
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1], of any size -> {"pool3": [B,1,1,2048]}.

        Raises:
          ValueError: another rank or channel count, or another layer.
        """
        _check(image, self.layers)
        x = _resize(image)  # [B,299,299,3]
        x = (2.0 * x - 1.0).astype(self.dtype)
        x = _stem(x, self.dtype)  # [B,35,35,192]
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = BlockA(pooled, dtype=self.dtype, name=name)(x)  # [B,35,35,256], then 288 channels
        x = BlockB(dtype=self.dtype, name="Mixed_6a")(x)  # [B,17,17,768]
        for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            x = BlockC(width, dtype=self.dtype, name=name)(x)  # [B,17,17,768]
        x = BlockD(dtype=self.dtype, name="Mixed_7a")(x)  # [B,8,8,1280]
        x = BlockE(mean_of_neighbours, dtype=self.dtype, name="Mixed_7b")(x)  # [B,8,8,2048]
        x = BlockE(largest_of_neighbours, dtype=self.dtype, name="Mixed_7c")(x)  # [B,8,8,2048]
        return {"pool3": jnp.mean(x, axis=(1, 2), keepdims=True)}


NETWORK = InceptionV3  # what `features.api` builds


def _stem(x: Array, dtype: Any) -> Array:
    """[B,299,299,3] -> [B,35,35,192]."""
    x = Unit(32, (3, 3), 2, "VALID", dtype=dtype, name="Conv2d_1a_3x3")(x)  # [B,149,149,32]
    x = Unit(32, (3, 3), 1, "VALID", dtype=dtype, name="Conv2d_2a_3x3")(x)  # [B,147,147,32]
    x = Unit(64, (3, 3), dtype=dtype, name="Conv2d_2b_3x3")(x)  # [B,147,147,64]
    x = max_pool(x, 3)  # [B,73,73,64]
    x = Unit(80, (1, 1), dtype=dtype, name="Conv2d_3b_1x1")(x)  # [B,73,73,80]
    x = Unit(192, (3, 3), 1, "VALID", dtype=dtype, name="Conv2d_4a_3x3")(x)  # [B,71,71,192]
    return max_pool(x, 3)


def _resize(image: Array) -> Array:
    """[B,H,W,3] -> [B,299,299,3], bilinear between pixel centres and without low-pass, as pytorch-fid resizes."""
    shape = (image.shape[0], SIDE, SIDE, 3)
    return jax.image.resize(image.astype(jnp.float32), shape, method="bilinear", antialias=False)


def _check(image: Array, layers: tuple[str, ...]) -> None:
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"InceptionV3 needs images [B,H,W,3], not {image.shape}")
    if set(layers) != set(LAYERS):
        raise ValueError(f"InceptionV3 has the layers {LAYERS}, at least one must be asked for, not {layers}")
