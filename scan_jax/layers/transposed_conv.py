"""The transposed convolution that doubles a map, as a plain convolution."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Array
from scan_jax.layers.initializers import small_xavier
from scan_jax.ops.convolution import convolve

# Output 2m reads tap 1 at input m; output 2m+1 reads tap 2 at m and tap 0 at m+1. [input offset, parity, tap]
_PLACES = np.array([[[0, 1, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]], np.float32)


class TransposedConv(nn.Module):
    """Kernel 3, stride 2, padding 1, output padding 1, in one 2x2 convolution to four outputs a pixel.

    The same weights and result as the dilated form, whose weight gradient is very slow on a CPU. `kernel` is
    [3,3,in,out] with output[2*i + k - 1] += input[i] * kernel[k].

    Attributes:
      features: output channels.
      dtype: of the convolution.
    """

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,2H,2W,features]."""
        batch, height, width, channels = x.shape
        kernel = self.param("kernel", small_xavier, (3, 3, channels, self.features)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        places = jnp.asarray(_PLACES, self.dtype)
        # offsets a, b; parities r, s; taps k, l
        four = jnp.einsum("ark,bsl,klio->abirso", places, places, kernel)  # [2,2,C,2,2,F]
        y = convolve(x.astype(self.dtype), four.reshape(2, 2, channels, -1), (0, 1))  # [B,H,W,4F]
        y = y.reshape(batch, height, width, 2, 2, self.features).transpose(0, 1, 3, 2, 4, 5)  # [B,H,2,W,2,F]
        return y.reshape(batch, 2 * height, 2 * width, self.features) + bias[None, None, None]
