"""What corrects a prior's filling by what another network painted: a small U-Net whose last layer begins at zero."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.residual import DilatedResidualBlock
from scan_jax.ops.image import enlarge


class Correction(nn.Module):
    """Convolutions at strides 1, 2 and 4, two dilated residual blocks there, and back.

    Attributes:
      width: channels at stride 1; they double with every stride.
      dtype: of the convolutions.
    """

    width: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,3] float32, zero before anything was learned. H and W are multiples of 4."""
        fine = self._convolve(x, self.width, 1)  # [B,H,W,width]
        middle = self._convolve(fine, 2 * self.width, 2)  # [B,H/2,W/2,2*width]
        x = self._convolve(middle, 4 * self.width, 2)  # [B,H/4,W/4,4*width]
        for _ in range(2):
            x = DilatedResidualBlock(dtype=self.dtype)(x)
        x = self._convolve(jnp.concatenate([enlarge(x, 2), middle], axis=-1), 2 * self.width, 1)
        x = self._convolve(jnp.concatenate([enlarge(x, 2), fine], axis=-1), self.width, 1)  # [B,H,W,width]
        rgb = nn.Conv(3, (3, 3), padding=1, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="rgb")(x)
        return rgb.astype(jnp.float32)

    def _convolve(self, x: Array, features: int, stride: int) -> Array:
        init, padding = nn.initializers.he_normal(), ((1, 1), (1, 1))
        conv = nn.Conv(features, (3, 3), stride, padding=padding, dtype=self.dtype, kernel_init=init)
        return jax.nn.leaky_relu(conv(x), 0.2)
