"""Convolutions with a learned kernel, in forms that are fast on a CPU too; their parameters are those of `nn.Conv`."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.spectral_conv import SpectralConv, SpectralConvTranspose
from scan_jax.ops.conv_transpose import conv_transpose, conv_transpose3, convolve_doubled
from scan_jax.ops.convolution import convolve
from scan_jax.ops.strided_convolution import convolve_strided

# As PyTorch starts convolutions: uniform within 1 / sqrt(inputs under the kernel), of transposed ones outputs above it.
torch_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
torch_uniform_transposed = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")
SMALL = 0.02**2
small_xavier = nn.initializers.variance_scaling(SMALL, "fan_avg", "normal")


class Conv(nn.Module):
    """A convolution."""

    features: int  # output channels
    kernel_size: int = 3  # height and width of the kernel
    stride: int = 1  # of the outputs; 1 where there is a dilation
    dilation: int = 1  # of the taps
    padding: int = 1  # zeros on every side, a multiple of the dilation
    use_bias: bool = True
    dtype: Any = jnp.float32  # of the products
    kernel_init: nn.initializers.Initializer = torch_uniform  # of the kernel

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H',W',features]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(self.dtype)
        y = self._convolve(x.astype(self.dtype), kernel)
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return y + bias.astype(self.dtype)[None, None, None]

    def _convolve(self, x: Array, kernel: Array) -> Array:
        """[B,H,W,C], [k,k,C,features] -> [B,H',W',features]."""
        return convolve_strided(x, kernel, self.padding, stride=self.stride, dilation=self.dilation)


class ConvTranspose(Conv):
    """Kernel 4, stride 2, padding 1: [B,H,W,C] -> [B,2H,2W,features].

    `kernel` is [4,4,in,out] with output[2*i - 1 + k] += input[i] * kernel[k]. Other sizes are ignored.
    """

    kernel_size: int = 4
    kernel_init: nn.initializers.Initializer = torch_uniform_transposed

    def _convolve(self, x: Array, kernel: Array) -> Array:
        return conv_transpose(x, kernel)


class ConvTranspose3(Conv):
    """Kernel 3, stride 2, padding 1, output padding 1: [B,H,W,C] -> [B,2H,2W,features].

    `kernel` is [3,3,in,out] with output[2*i + k - 1] += input[i] * kernel[k].
    """

    kernel_init: nn.initializers.Initializer = small_xavier

    def _convolve(self, x: Array, kernel: Array) -> Array:
        return conv_transpose3(x, kernel)


class JoinedConv(nn.Module):
    """A 3x3 convolution of a map, its pixels repeated to twice the size, with another map's channels behind its own.

    Neither the repeated map nor the joined one is made: each gets its part of the kernel.
    """

    features: int  # output channels
    dtype: Any = jnp.float32  # of the products
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()  # of the kernel, as if they were joined

    @nn.compact
    def __call__(self, x: Array, beside: Array) -> Array:
        """[B,H,W,C], [B,2H,2W,D] -> [B,2H,2W,features]."""
        channels = x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (3, 3, channels + beside.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        kernel = kernel.astype(self.dtype)
        doubled = convolve_doubled(x.astype(self.dtype), kernel[:, :, :channels])
        return doubled + convolve(beside.astype(self.dtype), kernel[:, :, channels:], (1, 1)) + bias[None, None, None]


Kernels = Literal["free", "spectral"]


def convolved(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,H',W',features] by a `Conv` or a `SpectralConv` of these fields; in a compact method."""
    return SpectralConv(**fields)(x, train=train) if kernels == "spectral" else Conv(**fields)(x)


def doubled(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,2H,2W,features] by a `ConvTranspose` or its spectral kind; in a compact method."""
    return SpectralConvTranspose(**fields)(x, train=train) if kernels == "spectral" else ConvTranspose(**fields)(x)
