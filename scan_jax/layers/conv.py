"""A plain convolution of stride 1, in the form that is fast on a CPU too; its parameters are those of `nn.Conv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import initializers

from scan_jax.core.types import Array
from scan_jax.layers.spectral_conv import SpectralConv, SpectralDoublingConv
from scan_jax.ops.conv_transpose import convolve_doubling
from scan_jax.ops.convolution import convolve
from scan_jax.ops.strided_convolution import convolve_strided


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


class ClassDense(nn.Module):
    """y[b, n] = x[b, n] @ kernel[n] + bias[n].

    Attributes:
      features: outputs.
      dtype: of the product.
    """

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,N,S] -> [B,N,features]."""
        if x.ndim != 3:
            raise ValueError(f"a dense layer per class needs [B,classes,size], not {x.shape}")
        _, classes, size = x.shape
        kernel = self.param("kernel", small_xavier_per_class, (classes, size, self.features))
        bias = self.param("bias", nn.initializers.zeros, (classes, self.features))
        by_class = x.astype(self.dtype).transpose(1, 0, 2)  # [N,B,S]: classes first is several times faster on a CPU
        y = jnp.einsum("nbs,nsf->nbf", by_class, kernel.astype(self.dtype)).transpose(1, 0, 2)  # [B,N,F]
        return y + bias.astype(self.dtype)[None]


_GAIN = 0.02

small_xavier = initializers.variance_scaling(_GAIN**2, "fan_avg", "normal")
small_xavier_per_class = initializers.variance_scaling(_GAIN**2, "fan_avg", "normal", batch_axis=(0,))


def small_xavier_pair(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """Two kernels side by side along the last axis, each drawn for its own number of outputs."""
    half = (*shape[:-1], shape[-1] // 2)
    return jnp.concatenate([small_xavier(part, half, dtype) for part in jax.random.split(key)], axis=-1)


Kernels = Literal["free", "spectral"]


def convolved(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,H',W',features] by a `PlainConv` or a `SpectralConv` of these fields; in a compact method."""
    return SpectralConv(**fields)(x, train=train) if kernels == "spectral" else PlainConv(**fields)(x)


def doubled(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,2H,2W,features] by a `DoublingConv` or its spectral kind; in a compact method."""
    return SpectralDoublingConv(**fields)(x, train=train) if kernels == "spectral" else DoublingConv(**fields)(x)
