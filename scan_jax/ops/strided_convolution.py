"""Convolutions that skip pixels, by a stride or by a dilation, in forms that are fast on a CPU too.

Either is a plain convolution of a map folded differently: pixels that a dilated kernel never sees together become maps
of their own, and the pixels of one stride become channels of one cell. The latter pays where cells fit the kernel; in
all else, and on other devices, it is the compiler's convolution. `convolve_same` pads as TensorFlow does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from scan_jax.ops.convolution import Padding, by_products, by_xla, convolve

Array = jax.Array
Form = Callable[..., Array]  # map, kernel, steps -> map

_WIDE = 16  # channels from which on cells pay


class Steps(NamedTuple):
    """How far apart what a convolution reads and writes lies."""

    stride: int  # of its outputs, in pixels of the map
    dilation: int  # of its taps
    padding: int  # zeros on every side


def convolve_strided(x: Array, kernel: Array, padding: int, *, stride: int = 1, dilation: int = 1) -> Array:
    """A convolution with a stride or a dilation, equal to `lax.conv_general_dilated`. Differentiable in reverse mode.

    [B,H,W,C], [k,k,C,D] of one dtype -> [B,(H+2*padding-dilation*(k-1)-1)//stride+1,W',D], with `padding` zeros on
    every side, a multiple of the dilation. ValueError for another padding or shape, or where stride and dilation are
    above 1.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[2] != x.shape[3] or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"x must be [B,H,W,C] and kernel [k,k,C,D], not {x.shape} and {kernel.shape}")
    if min(stride, dilation) != 1 or padding % dilation:
        raise ValueError(
            f"one of stride and dilation must be 1 and padding a multiple of the latter, "
            f"not {stride}, {dilation} and {padding}"
        )
    if stride == dilation == 1:
        return convolve(x, kernel, (padding, padding))
    return _convolve(x, kernel, Steps(stride, dilation, padding))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, steps: Steps) -> Array:
    folded, whole = partial(_forward_on_cpu, steps=steps), partial(_by_xla, steps=steps)
    return lax.platform_dependent(x, kernel, cpu=folded, default=whole)


def _convolve_backward(steps: Steps, saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    on_cpu, default = partial(_gradients_on_cpu, steps), partial(_gradients, _by_xla, steps)
    gradients: tuple[Array, Array] = lax.platform_dependent(*saved, change, cpu=on_cpu, default=default)
    return gradients


_convolve.defvjp(lambda x, kernel, steps: (_convolve(x, kernel, steps), (x, kernel)), _convolve_backward)


def _gradients(form: Form, steps: Steps, x: Array, kernel: Array, change: Array) -> tuple[Array, Array]:
    """To map and kernel, of a form of the convolution."""
    gradients: tuple[Array, Array] = jax.vjp(partial(form, steps=steps), x, kernel)[1](change)
    return gradients


def _by_xla(x: Array, kernel: Array, steps: Steps) -> Array:
    """The compiler's convolution."""
    return by_xla(x, kernel, ((steps.padding,) * 2,) * 2, steps.stride, steps.dilation)


def _forward_on_cpu(x: Array, kernel: Array, steps: Steps) -> Array:
    """The faster form of the convolution alone: cells pay where the kernel outweighs the map, see `convolve`."""
    if steps.stride == 1:
        return _of_parts(x, kernel, steps)
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    is_small = isinstance(pixels, int) and pixels <= 2 * kernel.shape[3] * steps.stride**2
    pays = is_small and _fills(kernel, steps) and x.shape[3] >= _WIDE
    return (_of_cells if pays else _by_xla)(x, kernel, steps)


def _gradients_on_cpu(steps: Steps, x: Array, kernel: Array, change: Array) -> tuple[Array, Array]:
    """The faster form of each. A 3x3 kernel in cells has too many zeros for the gradient to the map."""
    if steps.stride == 1:
        return _gradients(_of_parts, steps, x, kernel, change)
    if x.shape[3] < _WIDE:
        return _gradients(_by_xla, steps, x, kernel, change)
    to_map, to_kernel = _gradients(_of_cells, steps, x, kernel, change)
    if not _fills(kernel, steps) and kernel.shape[0] <= 3:
        to_map, _ = _gradients(_by_xla, steps, x, kernel, change)  # the compiler drops what is not used
    return to_map, to_kernel


def _fills(kernel: Array, steps: Steps) -> bool:
    """Whether the kernel is a whole number of cells."""
    return kernel.shape[0] % steps.stride == 0


def _of_parts(x: Array, kernel: Array, steps: Steps) -> Array:
    """Every d-th pixel in both directions is a map of its own: dilated taps never meet two of them."""
    d, padding = steps.dilation, steps.padding // steps.dilation
    batch, height, width, channels = x.shape
    rows, columns = -(-height // d), -(-width // d)
    x = jnp.pad(x, ((0, 0), (0, rows * d - height), (0, columns * d - width), (0, 0)))
    parts = x.reshape(batch, rows, d, columns, d, channels).transpose(0, 2, 4, 1, 3, 5)  # [B,d,d,h,w,C]
    y = convolve(parts.reshape(-1, rows, columns, channels), kernel, (padding, padding))  # [B*d*d,h',w',D]
    y = y.reshape(batch, d, d, *y.shape[1:]).transpose(0, 3, 1, 4, 2, 5)  # [B,h',d,w',d,D]
    y = y.reshape(batch, y.shape[1] * d, y.shape[3] * d, -1)
    reach = d * (kernel.shape[0] - 1)
    return y[:, : height + 2 * steps.padding - reach, : width + 2 * steps.padding - reach]


def _of_cells(x: Array, kernel: Array, steps: Steps) -> Array:
    """The s x s pixels from one output's first tap on are a cell's channels; a kernel of cells moves by one."""
    s, p, size = steps.stride, steps.padding, kernel.shape[0]
    batch, height, width, channels = x.shape
    taps = -(-size // s)  # cells under a kernel
    high, wide = ((side + 2 * p - size) // s + 1 for side in (height, width))
    around = [(p, (count + taps - 1) * s - side - p) for count, side in ((high, height), (wide, width))]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((low, end, 0) for low, end in around), (0, 0, 0)))
    x = x.reshape(batch, high + taps - 1, s, wide + taps - 1, s, channels).transpose(0, 1, 3, 2, 4, 5)
    kernel = jnp.pad(kernel, ((0, taps * s - size),) * 2 + ((0, 0), (0, 0))).reshape(taps, s, taps, s, channels, -1)
    cells = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(taps, taps, s * s * channels, -1)
    return convolve(x.reshape(*x.shape[:3], -1), cells, (0, 0))  # [B,high,wide,D]


def same_padding(size: int, kernel_size: int, stride: int) -> Padding:
    """Zeros before and after an axis, for an output of ceil(size / stride); of an odd number, the last goes behind.

    A `kernel_size` is with the gaps that a dilation makes.
    """
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def convolve_same(x: Array, kernel: Array, *, stride: int = 1, dilation: int = 1) -> Array:
    """A convolution padded as TensorFlow does: [B,H,W,C], [k,k,C,D], one dtype -> [B,ceil(H/stride),ceil(W/stride),D].

    ValueError for other shapes or an even k.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[0] % 2 == 0 or kernel.shape[2] != x.shape[3]:
        raise ValueError(f"x must be [B,H,W,C] and kernel [k,k,C,D], k odd, not {x.shape} and {kernel.shape}")
    if stride == dilation == 1:
        return convolve(x, kernel, (kernel.shape[0] // 2,) * 2)
    reach = dilation * (kernel.shape[0] - 1) + 1
    rows, columns = (same_padding(side, reach, stride) for side in x.shape[1:3])
    if dilation == 1 and _is_small(x, kernel, stride):
        return by_products(jnp.pad(x, ((0, 0), rows, columns, (0, 0))), kernel, stride)
    return by_xla(x, kernel, (rows, columns), stride, dilation)


def _is_small(x: Array, kernel: Array, stride: int) -> bool:
    """Whether the kernel outweighs the output; a map whose size is not known yet (`jax.export`) counts as large."""
    pixels = x.shape[0] * -(-x.shape[1] // stride) * -(-x.shape[2] // stride)
    return isinstance(pixels, int) and pixels <= 2 * kernel.shape[3]
