"""Convolutions that see each channel alone, as sums of shifted maps: XLA's grouped ones are slow on a CPU.

Differentiable in reverse mode, as often as wanted.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def depthwise(x: Array, kernel: Array) -> Array:
    """A 3x3 convolution within each channel, zeros around the map: [B,H,W,C], [3,3,C] -> [B,H,W,C].

    Equal to `lax.conv_general_dilated` with as many groups as channels, and some twenty times as fast on a CPU.
    ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.shape != (3, 3, x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and kernel [3,3,C], not {x.shape} and {kernel.shape}")
    return _depthwise(x, kernel)


@jax.custom_vjp
def _depthwise(x: Array, kernel: Array) -> Array:
    _, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = kernel[None, None, None]  # [1,1,1,3,3,C]
    taps = [padded[:, i : i + height, j : j + width] * kernel[..., i, j, :] for i in range(3) for j in range(3)]
    return sum(taps[1:], taps[0])


def _depthwise_backward(saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    """To the map by the mirrored kernel; to the kernel tap by tap, with one program for all, quick to compile.

    The sum over the batch, which devices may share, comes after the loop: they would wait for each other at each tap.
    """
    x, kernel = saved
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def tap(index: Array) -> Array:
        seen = lax.dynamic_slice(padded, (0, index // 3, index % 3, 0), x.shape)
        return jnp.sum(seen * change, axis=(1, 2))  # [B,C]

    to_kernel = lax.map(tap, jnp.arange(9)).sum(axis=1)  # [9,C]
    return _depthwise(change, kernel[::-1, ::-1]), to_kernel.reshape(kernel.shape)


_depthwise.defvjp(lambda x, kernel: (_depthwise(x, kernel), (x, kernel)), _depthwise_backward)


def halve(x: Array) -> Array:
    """Every second pixel of the map smoothed by 1, 3, 3, 1 (over 8) along both axes, zeros around it.

    Output m is of inputs 2m-1 to 2m+2. [B,2H,2W,C] -> [B,H,W,C]; ValueError for odd sides.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"height and width must be even, not {x.shape[1:3]}")
    return _halve(x)


def double(x: Array) -> Array:
    """A map twice as large, smoothed by 1, 3, 3, 1 (over 4) along both axes between zeros, zeros around it.

    Outputs 2m and 2m+1 are 3/4 of input m and 1/4 of the one before and after it. [B,H,W,C] -> [B,2H,2W,C].
    """
    return _double(x)


# Each is the other's transpose but for the gain of 4.
@jax.custom_vjp
def _halve(x: Array) -> Array:
    for axis in (1, 2):
        size, padded = x.shape[axis], _pad(x, axis)  # input 2m-1 at 2m
        before, first, second, after = (lax.slice_in_dim(padded, i, i + size - 1, 2, axis) for i in range(4))
        x = 0.125 * (before + after) + 0.375 * (first + second)
    return x


@jax.custom_vjp
def _double(x: Array) -> Array:
    for axis in (1, 2):
        # Each pixel twice, smoothed by 1, 2, 1: no pixels are dealt out, which takes twice as long on a CPU.
        size = x.shape[axis]
        twice = lax.optimization_barrier(jnp.repeat(_pad(x, axis), 2, axis))  # input m at 2m+2 and 2m+3
        before, same, after = (lax.slice_in_dim(twice, i, i + 2 * size, axis=axis) for i in (1, 2, 3))
        x = 0.25 * (before + after) + 0.5 * same
    return x


_halve.defvjp(lambda x: (_halve(x), None), lambda _, change: (0.25 * _double(change),))
_double.defvjp(lambda x: (_double(x), None), lambda _, change: (4 * _halve(change),))


def _pad(x: Array, axis: int) -> Array:
    """A zero before and after, along one axis."""
    return jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)])
