"""The dilated residual block between encoder and decoder."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array


class DilatedResidualBlock(nn.Module):
    """x + conv3x3(lrelu(conv3x3 dilated by 2 (x))), as many channels out as in.

    The second convolution starts small, so that a stack of blocks starts near the identity and needs no normalisation.

    Attributes:
      dilation: of the first convolution.
      dtype: of the convolutions.
    """

    dilation: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        width, rate = x.shape[-1], self.dilation
        wide = nn.Conv(
            width,
            (3, 3),
            padding=rate,
            kernel_dilation=rate,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
            name="dilated",
        )
        small = nn.initializers.variance_scaling(0.02, "fan_in", "truncated_normal")
        narrow = nn.Conv(width, (3, 3), padding=1, dtype=self.dtype, kernel_init=small, name="plain")
        return x + narrow(jax.nn.leaky_relu(wide(x), 0.2))
