"""A plain convolution of stride 1, in the form that is fast on a CPU too; its parameters are those of `nn.Conv`."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.initializers import small_xavier
from scan_jax.ops.convolution import convolve


class Conv(nn.Module):
    """A convolution with a bias.

    Attributes:
      features: output channels.
      kernel_size: height and width of the kernel.
      padding: zeros on every side.
      dtype: of the products.
    """

    features: int
    kernel_size: int = 3
    padding: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H+2*padding-k+1,W+2*padding-k+1,features]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", small_xavier, shape).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return convolve(x.astype(self.dtype), kernel, (self.padding, self.padding)) + bias[None, None, None]
