"""Dilated residual blocks, with zeros or with reflections around the map, and the reflection itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Kernels, convolved
from scan_jax.layers.normalization import InstanceNorm


class DilatedResidualBlock(nn.Module):
    """x + conv3x3(lrelu(conv3x3 dilated by 2 (x))), as many channels out as in.

    The second convolution starts small, so that a stack of blocks starts near the identity and needs no normalisation.
    """

    dilation: int = 2  # of the first convolution
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        width, rate = x.shape[-1], self.dilation
        wide = nn.Conv(
            width,
            (3, 3),
            padding=rate,
            kernel_dilation=rate,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
            name="dilated",
        )
        small = nn.initializers.variance_scaling(0.02, "fan_in", "truncated_normal")
        narrow = nn.Conv(width, (3, 3), padding=1, dtype=self.dtype, kernel_init=small, name="plain")
        return x + narrow(jax.nn.leaky_relu(wide(x), 0.2))


class ReflectedResidualBlock(nn.Module):
    """x + norm(conv3x3(relu(norm(dilated conv3x3(x))))), as many channels out as in; no ReLU after the sum."""

    kernels: Kernels = "free"  # of both convolutions; spectral ones have no bias
    dilation: int = 2  # of the first
    dtype: Any = jnp.float32  # of the convolutions
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)  # of the kernels

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        conv = partial(
            convolved,
            kernels=self.kernels,
            train=train,
            features=x.shape[-1],
            kernel_size=3,
            stride=1,
            padding=0,
            use_bias=self.kernels == "free",
            dtype=self.dtype,
            kernel_init=self.kernel_init,
        )
        y = conv(reflect(x, self.dilation), dilation=self.dilation, name="dilated")  # [B,H,W,C]
        y = jax.nn.relu(InstanceNorm()(y))
        return x + InstanceNorm()(conv(reflect(y, 1), name="plain"))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def reflect(x: Array, pad: int) -> Array:
    """[B,H,W,C] -> [B,H+2*pad,W+2*pad,C]; the border's own pixels are not repeated. Differentiable in reverse mode."""
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")


def _reflect_backward(pad: int, saved: None, change: Array) -> tuple[Array]:
    """Each reflected pixel's share is added to its original; the derivative by itself takes several times as long."""
    del saved
    for axis in (1, 2):
        size = change.shape[axis]
        before, inner, after = (
            jax.lax.slice_in_dim(change, *part, axis=axis) for part in ((0, pad), (pad, size - pad), (size - pad, size))
        )
        rest = size - 3 * pad - 1  # pixels of `inner` that a side does not see itself in
        around = [[(1, rest) if place == axis else (0, 0) for place in range(4)]]
        around.append([(rest, 1) if place == axis else (0, 0) for place in range(4)])
        change = inner + sum(jnp.pad(jnp.flip(part, axis), zeros) for part, zeros in zip((before, after), around))
    return (change,)


reflect.defvjp(lambda x, pad: (reflect(x, pad), None), _reflect_backward)
