"""Convolutions that see each channel alone, as sums of shifted maps: XLA's grouped ones are slow on a CPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def depthwise(x: Array, kernel: Array) -> Array:
    """A 3x3 convolution within each channel, zeros around the map: [B,H,W,C], [3,3,C] -> [B,H,W,C].

    Equal to `lax.conv_general_dilated` with as many groups as channels, and some twenty times as fast on a CPU.
    ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.shape != (3, 3, x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and kernel [3,3,C], not {x.shape} and {kernel.shape}")
    _, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = kernel[None, None, None]  # [1,1,1,3,3,C]
    taps = [padded[:, i : i + height, j : j + width] * kernel[..., i, j, :] for i in range(3) for j in range(3)]
    return sum(taps[1:], taps[0])


def halve(x: Array) -> Array:
    """Every second pixel of the map smoothed by 1, 3, 3, 1 (over 8) along both axes, zeros around it.

    Output m is of inputs 2m-1 to 2m+2. [B,2H,2W,C] -> [B,H,W,C]; ValueError for odd sides.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"height and width must be even, not {x.shape[1:3]}")
    return _halve(_halve(x, 1), 2)


def _halve(x: Array, axis: int) -> Array:
    """Along one axis."""
    size = x.shape[axis]
    padded = jnp.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])  # input 2m-1 at 2m
    before, first, second, after = (jax.lax.slice_in_dim(padded, i, i + size - 1, 2, axis) for i in range(4))
    return 0.125 * (before + after) + 0.375 * (first + second)


def double(x: Array) -> Array:
    """A map twice as large, smoothed by 1, 3, 3, 1 (over 4) along both axes between zeros, zeros around it.

    Outputs 2m and 2m+1 are 3/4 of input m and 1/4 of the one before and after it. [B,H,W,C] -> [B,2H,2W,C].
    """
    return _double(_double(x, 1), 2)


def _double(x: Array, axis: int) -> Array:
    """Along one axis."""
    around = [(1, 1) if i == axis else (0, 0) for i in range(4)]
    padded, near, size = jnp.pad(0.25 * x, around), 0.75 * x, x.shape[axis]
    before, after = (jax.lax.slice_in_dim(padded, start, start + size, axis=axis) for start in (0, 2))
    both = jnp.stack([near + before, near + after], axis + 1)
    return both.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
