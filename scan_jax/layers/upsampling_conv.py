"""The transposed convolution of kernel 4 that doubles a map, as a plain convolution."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.doubling_convolution import convolve_doubling

# As PyTorch starts transposed convolutions: uniform within 1 / sqrt(outputs above the kernel).
torch_uniform_transposed = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")


class DoublingConv(nn.Module):
    """Kernel 4, stride 2, padding 1; `kernel` is [4,4,in,out] with output[2*i - 1 + k] += input[i] * kernel[k].

    Attributes:
      features: output channels.
      use_bias: whether a bias is added.
      dtype: of the products.
      kernel_init: of the kernel.
    """

    features: int
    use_bias: bool = True
    dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = torch_uniform_transposed

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,2H,2W,features]."""
        kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features))
        y = convolve_doubling(x.astype(self.dtype), kernel.astype(self.dtype))
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return y + bias.astype(self.dtype)[None, None, None]
