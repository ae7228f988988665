"""Partial convolution (Liu et al. 2018, eq. (1)-(2)): a convolution that never reads the hole, and shrinks it."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.ops.convolution import count_known
from scan_jax.types import Array


class PartialConv(nn.Module):
    """Convolves `x * known`, divides by the known share under the kernel, and carries `known` on.

    Attributes:
      features: output channels.
      kernel_size: odd; the padding is `kernel_size // 2` zeros on every side, which count as unknown.
      stride: the same along both axes.
      dtype: of the convolution.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, known: Array | None) -> tuple[Array, Array | None]:
        """[B,H,W,C], [B,H,W,1] -> [B,H',W',features], [B,H',W',1]; the output is zero where nothing is known yet.

        Where everything is known, `known` may be None: then this is a convolution, without the border's correction.
        """
        size, pad = self.kernel_size, self.kernel_size // 2
        kernel = self.param("kernel", nn.initializers.he_normal(), (size, size, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = jax.lax.conv_general_dilated(
            (x if known is None else x * known.astype(x.dtype)).astype(self.dtype),
            kernel.astype(self.dtype),
            (self.stride, self.stride),
            ((pad, pad), (pad, pad)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # [B,H',W',features]
        if known is None:
            return y + bias.astype(self.dtype)[None, None, None], None
        count = count_known(known, size, self.stride)  # [B,H',W',1]
        updated = (count > 0).astype(known.dtype)  # [B,H',W',1]
        ratio = (size * size / jnp.maximum(count, 1.0) * updated).astype(self.dtype)  # [B,H',W',1]
        return y * ratio + bias.astype(self.dtype)[None, None, None] * updated.astype(self.dtype), updated
