"""The 70x70 patch discriminator (Isola et al. 2017) with spectral normalisation, as SCAN and EdgeConnect train it."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.types import Array


class PatchDiscriminator(nn.Module):
    """Judges every 70x70 patch of an image: kernels 4, strides 2,2,2,1,1, widths w,2w,4w,8w,1.

    Attributes:
      width: w; the paper's setting is 64.
      dtype: of the convolutions; the logits come back in float32.
    """

    width: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """[B,H,W,3] in [0, 1] -> logits [B,H/8-2,W/8-2,1], positive for real."""
        x = 2 * image - 1
        for depth, stride in enumerate((2, 2, 2, 1)):
            x = SpectralConv(self.width * 2**depth, stride=stride, use_bias=False, dtype=self.dtype)(x, train=train)
            x = jax.nn.leaky_relu(x, 0.2)  # [B,H/2^(depth+1),...]
        return SpectralConv(1, stride=1, use_bias=False, dtype=self.dtype)(x, train=train).astype(jnp.float32)
