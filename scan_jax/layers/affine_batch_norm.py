"""Batch normalisation with scale and shift (Ioffe and Szegedy 2015), with PyTorch's running averages."""

from __future__ import annotations

import flax.linen as nn

from scan_jax.core.types import Array
from scan_jax.layers.batch_norm import BatchNorm


class AffineBatchNorm(nn.Module):
    """`BatchNorm`, then a learned scale and shift for each channel.

    Frozen statistics are `train=False` in training: the running ones are used and stay, scale and shift still learn.

    Attributes:
      momentum: share of the new statistics in the running ones.
      epsilon: added to the variance.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C] float32."""
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        y = BatchNorm(self.momentum, self.epsilon, name="norm")(x, train=train)
        return y * scale[None, None, None] + bias[None, None, None]
