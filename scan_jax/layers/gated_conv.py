"""Gated convolution (Yu et al. 2019, section 3.1): each feature has a gate of its own at every pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.conv_transpose import convolve_doubled
from scan_jax.ops.strided_convolution import convolve_same


class SameConv(nn.Module):
    """A convolution with a bias, padded as TensorFlow does: as much comes out as goes in, divided by the stride."""

    features: int  # channels that come out
    kernel_size: int = 3  # height and width of the kernel, odd
    stride: int = 1  # the same along both axes; it divides the map
    dilation: int = 1  # distance of the kernel's taps
    dtype: Any = jnp.float32  # of the convolution

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H/stride,W/stride,features]."""
        return self._convolve(x, self.features)

    def _convolve(self, x: Array, channels: int) -> Array:
        """[B,H,W,C] -> [B,H/stride,W/stride,channels]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], channels)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (channels,)).astype(self.dtype)
        return self._products(x.astype(self.dtype), kernel) + bias[None, None, None]

    def _products(self, x: Array, kernel: Array) -> Array:
        return convolve_same(x, kernel, stride=self.stride, dilation=self.dilation)


class GatedConv(SameConv):
    """activation(F) * sigmoid(G), where one convolution gives both: its first half of channels is F, its second G."""

    activation: Callable[[Array], Array] = jax.nn.elu  # of the features
    doubles: bool = False  # whether every pixel is repeated in a 2x2 square first; kernel 3, without stride or dilation

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H/stride,W/stride,features], or [B,2H,2W,features] where it doubles."""
        # The backward pass computes the gate anew from what the convolution gave: neither half nor gate is kept for it.
        return jax.checkpoint(gate, static_argnums=1)(self._convolve(x, 2 * self.features), self.activation)

    def _products(self, x: Array, kernel: Array) -> Array:
        return convolve_doubled(x, kernel) if self.doubles else super()._products(x, kernel)


def gate(y: Array, activation: Callable[[Array], Array]) -> Array:
    """The first half of the channels, gated by the second: [...,2C] -> [...,C]."""
    features, gates = jnp.split(y, 2, axis=-1)
    return activation(features) * jax.nn.sigmoid(gates)
