"""The 70x70 patch discriminator (Isola et al. 2017) with spectral normalisation, as SCAN and EdgeConnect train it."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.spectral_conv import SpectralConv


class PatchDiscriminator(nn.Module):
    """Judges every 70x70 patch of an image: kernels 4, strides 2,2,2,1,1, widths w,2w,4w,8w,1.

    Attributes:
      width: w; the paper's setting is 64.
      dtype: of the convolutions; the logits come back in float32.
      input_range: what the first convolution reads: "signed" brings images to [-1, 1], "unit" leaves them in [0, 1], as
        EdgeConnect's released code does.
      kernel_init: of the kernels.
    """

    width: int = 64
    dtype: Any = jnp.float32
    input_range: Literal["signed", "unit"] = "signed"
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    def __call__(self, image: Array, *, train: bool) -> Array:
        """[B,H,W,C] in [0, 1] -> logits [B,H/8-2,W/8-2,1], positive for real."""
        return self.activations(image, train=train)[-1]

    @nn.compact
    def activations(self, image: Array, *, train: bool) -> tuple[Array, ...]:
        """What every layer answers, the logits last: [B,H,W,C] -> [B,H/2,W/2,w], ... [B,H/8-2,W/8-2,1]."""
        x = 2 * image - 1 if self.input_range == "signed" else image
        found = []
        for depth, stride in enumerate((2, 2, 2, 1)):
            x = self._conv(self.width * 2**depth, stride)(x, train=train)
            x = jax.nn.leaky_relu(x, 0.2)  # [B,H/2^(depth+1),...]
            found.append(x)
        return (*found, self._conv(1, 1)(x, train=train).astype(jnp.float32))

    def _conv(self, features: int, stride: int) -> SpectralConv:
        """A convolution of kernel 4 without bias."""
        return SpectralConv(features, stride=stride, use_bias=False, dtype=self.dtype, kernel_init=self.kernel_init)
