"""Partial convolution (Liu et al. 2018, eq. (1)-(2)): a convolution that never reads the hole, and shrinks it."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.convolution import count_known
from scan_jax.ops.strided_convolution import convolve_strided


class PartialConv(nn.Module):
    """Convolves `x * known`, divides by the known share under the kernel, and carries `known` on.

    Where maps with different holes lie side by side, `known` has a channel for each of theirs, and the share is that of
    all numbers under the kernel.
    """

    features: int  # output channels
    kernel_size: int = 3  # odd; the padding is `kernel_size // 2` zeros on every side, which count as unknown
    stride: int = 1  # the same along both axes
    use_bias: bool = True  # whether a bias is added where anything is known
    dtype: Any = jnp.float32  # of the convolution
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()  # of the kernel

    @nn.compact
    def __call__(self, x: Array, known: Array | None) -> tuple[Array, Array | None]:
        """[B,H,W,C], [B,H,W,1 or C] -> [B,H',W',features], [B,H',W',1]; zero where nothing is known yet.

        Where everything is known, `known` may be None: then this is a convolution, without the border's correction.
        Other channels of `known` are a ValueError.
        """
        size, channels = self.kernel_size, x.shape[-1]
        if known is not None and known.shape[-1] not in (1, channels):
            raise ValueError(f"known must have one channel or, as x, {channels}, not {known.shape[-1]}")
        kernel = self.param("kernel", self.kernel_init, (size, size, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,)) if self.use_bias else None
        seen = (x if known is None else x * known.astype(x.dtype)).astype(self.dtype)
        y = convolve_strided(seen, kernel.astype(self.dtype), size // 2, stride=self.stride)  # [B,H',W',features]
        if known is None:
            return y if bias is None else y + bias.astype(self.dtype)[None, None, None], None
        ratio, updated = self._carry(known)  # [B,H',W',1] each
        y = y * ratio.astype(self.dtype)
        if bias is not None:
            y = y + bias.astype(self.dtype)[None, None, None] * updated.astype(self.dtype)
        return y, updated

    def _carry(self, known: Array) -> tuple[Array, Array]:
        """The window's size by the known numbers under it, and where there are any: [B,H,W,N] -> [B,H',W',1] each."""
        together = known if known.shape[-1] == 1 else jnp.sum(known, axis=-1, keepdims=True)  # [B,H,W,1]
        window = self.kernel_size * self.kernel_size * known.shape[-1]
        count = count_known(together, self.kernel_size, self.stride)  # [B,H',W',1]
        updated = (count > 0).astype(known.dtype)
        return window / jnp.maximum(count, 1.0) * updated, updated
