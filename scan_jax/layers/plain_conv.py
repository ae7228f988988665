"""A convolution with or without stride, dilation and bias, which starts as PyTorch's does."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.strided_convolution import convolve_strided

# Uniform within 1 / sqrt(inputs under the kernel).
torch_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


class PlainConv(nn.Module):
    """A convolution; its parameters are those of `nn.Conv`.

    Attributes:
      features: output channels.
      kernel_size: height and width of the kernel.
      stride: of the outputs; 1 where there is a dilation.
      dilation: of the taps.
      padding: zeros on every side, a multiple of the dilation.
      use_bias: whether a bias is added.
      dtype: of the products.
      kernel_init: of the kernel.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    dilation: int = 1
    padding: int = 1
    use_bias: bool = True
    dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = torch_uniform

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H',W',features]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(self.dtype)
        y = convolve_strided(x.astype(self.dtype), kernel, self.padding, stride=self.stride, dilation=self.dilation)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return y + bias.astype(self.dtype)[None, None, None]
