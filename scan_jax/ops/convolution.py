"""Convolutions of stride 1 in forms that are fast on a CPU too; of label maps; and how `known` goes down a level."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from scan_jax.core.device import sharing
from scan_jax.ops.tiled_convolution import TileAlgorithm, convolve_tiled, fourier, tiled_kernel_gradient, toom_cook

Array = jax.Array
Padding = tuple[int, int]

_STRIP_PIXELS = 512  # their 3x3 neighbourhoods of 128 channels are 2.4 MB
_TILED_PIXELS = 2**16  # of more, the tiles' points take too much memory
_TILED_CHANNELS = {3: 128, 4: 128, 7: 64}  # by the kernel's size: from which on fewer products outweigh the way there
_FOURIER_OUTPUTS = 16  # of a tile, along each axis: whole tiles on the usual maps


def convolve(x: Array, kernel: Array, padding: Padding) -> Array:
    """A convolution of stride 1, equal to `lax.conv_general_dilated` and faster on a CPU.

    There, matrix products take the place of XLA's convolution: in all passes where the kernel outweighs the map or
    where tiles need fewer of them, and in the gradient to the kernel everywhere (for 3x3 up to four times as fast, for
    some kernels of even side a hundred times). On other devices it is XLA's convolution throughout. Differentiable in
    reverse mode.

    [B,H,W,C], [k,k,C,D] of one dtype -> [B,H+sum(padding)-k+1,W+sum(padding)-k+1,D], with `padding` zeros before and
    after the map, along both axes. ValueError for other shapes.
    """
    if x.ndim != 4 or kernel.ndim != 4 or kernel.shape[2] != x.shape[3]:
        raise ValueError(f"x must be [B,H,W,C] and kernel [k,k,C,D], not {x.shape} and {kernel.shape}")
    if kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel must be square, not {kernel.shape[:2]}")
    return _convolve(x, kernel, padding)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, padding: Padding) -> Array:
    on_cpu, default = partial(_forward_on_cpu, padding=padding), partial(by_xla, padding=(padding, padding))
    return lax.platform_dependent(x, kernel, cpu=on_cpu, default=default)


def _convolve_backward(padding: Padding, saved: tuple[Array, Array], change: Array) -> tuple[Array, Array]:
    on_cpu, default = partial(_gradients_on_cpu, padding=padding), partial(_gradients_by_xla, padding=padding)
    gradients: tuple[Array, Array] = lax.platform_dependent(*saved, change, cpu=on_cpu, default=default)
    return gradients


_convolve.defvjp(lambda x, kernel, padding: (_convolve(x, kernel, padding), (x, kernel)), _convolve_backward)


def by_xla(x: Array, kernel: Array, padding: tuple[Padding, Padding], stride: int = 1, dilation: int = 1) -> Array:
    """XLA's convolution, with zeros around rows and columns."""
    layout, taps = ("NHWC", "HWIO", "NHWC"), (dilation, dilation)
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, rhs_dilation=taps, dimension_numbers=layout)


def _forward_on_cpu(x: Array, kernel: Array, padding: Padding) -> Array:
    """The fastest form."""
    if _outweighs(kernel, x, padding):
        return by_products(_pad(x, padding), kernel)
    if algorithm := _tile_algorithm(kernel, x, padding):
        return convolve_tiled(x, kernel, padding, algorithm)
    if padding == (0, 0):  # takes five times as long as with a row too many
        return by_xla(x, kernel, ((1, 0), (1, 0)))[:, 1:, 1:]
    return by_xla(x, kernel, (padding, padding))


def _gradients_by_xla(x: Array, kernel: Array, change: Array, padding: Padding) -> tuple[Array, Array]:
    """XLA's gradients to map and kernel."""
    gradients: tuple[Array, Array] = jax.vjp(partial(by_xla, padding=(padding, padding)), x, kernel)[1](change)
    return gradients


def _gradients_on_cpu(x: Array, kernel: Array, change: Array, padding: Padding) -> tuple[Array, Array]:
    """The faster form of each gradient; the compiler drops what is not used."""
    if _outweighs(kernel, x, padding):
        return _map_gradient(x, kernel, change, padding), _kernel_gradient(x, kernel, change, padding)
    around = (kernel.shape[0] - 1 - padding[0], kernel.shape[0] - 1 - padding[1])
    if algorithm := _tile_algorithm(kernel, x, padding):
        to_map = convolve_tiled(change, kernel[::-1, ::-1].swapaxes(2, 3), around, algorithm)
        return to_map, tiled_kernel_gradient(x, change, padding, algorithm)
    to_map, _ = _gradients_by_xla(x, kernel, change, padding)
    if kernel.shape[3] >= kernel.shape[2]:
        return to_map, _kernel_gradient_by_strip(x, kernel, change, padding)
    # The narrower map has the smaller neighbourhoods: `change` is what the mirrored kernel slides over, `x` what comes
    # out.
    mirrored = _kernel_gradient_by_strip(change, kernel.swapaxes(2, 3), x, around)  # [k,k,D,C]
    return to_map, mirrored[::-1, ::-1].swapaxes(2, 3)


def _outweighs(kernel: Array, x: Array, padding: Padding) -> bool:
    """Whether rearranging the kernel, which XLA does, costs more than laying out the map's k x k neighbourhoods.

    A map whose size is not known yet (`jax.export`) counts as large.
    """
    pixels = x.shape[0] * (x.shape[1] + sum(padding)) * (x.shape[2] + sum(padding))
    return kernel.shape[0] == 1 or (isinstance(pixels, int) and pixels <= 2 * kernel.shape[3])


def _tile_algorithm(kernel: Array, x: Array, padding: Padding) -> TileAlgorithm | None:
    """The algorithm that saves more products than its transforms cost; None if there is none.

    A map whose size is not known yet (`jax.export`) gets none.
    """
    size, _, *widths = kernel.shape
    if x.dtype != jnp.float32 or size not in _TILED_CHANNELS or min(widths) < _TILED_CHANNELS[size]:
        return None
    pixels = x.shape[0] * (x.shape[1] + sum(padding)) * (x.shape[2] + sum(padding))
    if not isinstance(pixels, int) or pixels > _TILED_PIXELS:
        return None
    return fourier(size, _FOURIER_OUTPUTS) if size > 4 else toom_cook(size)


def _columns(padded: Array, size: int, stride: int = 1) -> Array:
    """All numbers under each position of a size x size kernel in one row: [B,H,W,C] -> [B*H'*W',k*k*C]."""
    high, wide = ((side - size) // stride + 1 for side in padded.shape[1:3])
    taps = [
        padded[:, i : i + (high - 1) * stride + 1 : stride, j : j + (wide - 1) * stride + 1 : stride]
        for i in range(size)
        for j in range(size)
    ]
    return jnp.concatenate(taps, axis=-1).reshape(-1, size * size * padded.shape[-1])


def _pad(x: Array, padding: Padding) -> Array:
    return jnp.pad(x, ((0, 0), padding, padding, (0, 0)))


def by_products(padded: Array, kernel: Array, stride: int = 1) -> Array:
    """One product over all taps, of a map with its zeros around: [B,H,W,C], [k,k,C,D] -> [B,H',W',D]."""
    size, features = kernel.shape[0], kernel.shape[3]
    high, wide = ((side - size) // stride + 1 for side in padded.shape[1:3])
    y = _columns(padded, size, stride) @ kernel.reshape(-1, features)  # [B*H'*W',D]
    return y.reshape(padded.shape[0], high, wide, features)


def _map_gradient(x: Array, kernel: Array, change: Array, padding: Padding) -> Array:
    """One product to all taps, then each tap's share is added where the tap read: [B,H,W,C]."""
    size, channels, features = kernel.shape[1:]
    batch, height, width, _ = change.shape
    shares = change.reshape(-1, features) @ kernel.reshape(-1, features).T  # [B*H'*W',k*k*C]
    shares = shares.reshape(batch, height, width, size, size, channels)
    total = jnp.zeros((), x.dtype)
    for i in range(size):
        for j in range(size):
            place = ((0, 0), (i, size - 1 - i), (j, size - 1 - j), (0, 0))
            total = total + jnp.pad(shares[:, :, :, i, j], place)  # [B,H+sum(padding),W+sum(padding),C]
    return total[:, padding[0] : padding[0] + x.shape[1], padding[0] : padding[0] + x.shape[2]]


def _kernel_gradient(x: Array, kernel: Array, change: Array, padding: Padding) -> Array:
    """One product over all taps: [k,k,C,D]."""
    seen = _columns(_pad(x, padding), kernel.shape[0])  # [B*H'*W',k*k*C]
    return (seen.T @ change.reshape(-1, change.shape[-1])).reshape(kernel.shape)


def _kernel_gradient_by_strip(x: Array, kernel: Array, change: Array, padding: Padding) -> Array:
    """The same, added up over strips of rows whose neighbourhoods stay in the cache: [k,k,C,D].

    Devices that share the batch add up their own parts, and all of them once: they would wait for each other at each
    strip.
    """
    size, channels, features = kernel.shape[1:]
    batch, height, width, _ = change.shape
    parts = sharing(batch)
    padded, pixels = _pad(x, padding), batch // parts * width
    rows = max(n for n in range(1, height + 1) if height % n == 0 and (n == 1 or n * pixels <= _STRIP_PIXELS))

    def add(strip: Array, total: Array) -> Array:
        seen = lax.dynamic_slice_in_dim(padded, strip * rows, rows + size - 1, axis=1)  # [B,rows+k-1,W+..,C]
        changed = lax.dynamic_slice_in_dim(change, strip * rows, rows, axis=1).reshape(parts, -1, features)
        seen = _columns(seen, size).reshape(parts, -1, size * size * channels)
        return total + jnp.einsum("pnd,pnc->pdc", changed, seen, preferred_element_type=jnp.float32)

    nothing = jnp.zeros((parts, features, size * size * channels), jnp.float32)
    total = lax.fori_loop(0, height // rows, add, nothing).sum(axis=0)  # [D,k*k*C]
    return total.T.reshape(kernel.shape).astype(kernel.dtype)


def update_known(known: Array, kernel_size: int, stride: int) -> Array:
    """Partial convolution's rule: an output is known where any known pixel lies under its kernel.

    Source: Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, eq. (2). `known` [B,H,W,1], 1 =
    known, `kernel_size` k, odd, with a padding of k // 2, and stride s -> [B,ceil(H/s),ceil(W/s),1], in the dtype of
    `known`. No gradient flows. ValueError for anything else.
    """
    # The position itself lies under its kernel, so the padding never counts; its identity is what exporters know.
    return _pool_known(known, kernel_size, stride, lax.max, -jnp.inf)


def count_known(known: Array, kernel_size: int, stride: int) -> Array:
    """How many known pixels lie under each position of a convolution's kernel; the padding counts as unknown.

    Source: sum(M) in Liu et al., eq. (1). Takes and returns what `update_known` does.
    """
    return _pool_known(known, kernel_size, stride, lax.add, 0.0)


def _pool_known(
    known: Array, kernel_size: int, stride: int, reduction: Callable[[Array, Array], Array], identity: float
) -> Array:
    """`known` reduced under every position of a kernel; outside the image lies the reduction's identity."""
    if known.ndim != 4 or known.shape[-1] != 1:
        raise ValueError(f"known must be [B,H,W,1], not {known.shape}")
    if kernel_size < 1 or kernel_size % 2 == 0 or stride < 1:
        raise ValueError(f"kernel_size must be odd and stride positive, not {kernel_size} and {stride}")
    pad = (kernel_size // 2, kernel_size // 2)
    pooled = lax.reduce_window(
        lax.stop_gradient(known[..., 0]),  # [B,H,W]
        jnp.array(identity, known.dtype),
        reduction,
        window_dimensions=(1, kernel_size, kernel_size),
        window_strides=(1, stride, stride),
        padding=((0, 0), pad, pad),
    )
    return pooled[..., None]


def convolve_labels(labels: Array, kernels: Array, bias: Array | None = None) -> Array:
    """Convolves the one-hot map of `labels` with a kernel per sample.

    Equals a zero padded convolution of the [B,H,W,N] one-hot map. It is one matrix product a sample, [HW, k*k*N] times
    [k*k*N, C], where a row of the left side has a one for each neighbour; so is the gradient to the kernels. Both are
    deterministic, and several times faster than gathering and scattering k*k rows a pixel. Convolutions of one label
    map share the left side.

    Args:
      labels: [B,H,W] integers; a label outside 0..N-1 counts as no class, and adds nothing.
      kernels: [B,k,k,N,C], k odd; in the kernels' dtype are the products, in float32 the sums.
      bias: [C], added everywhere as one more row of the product, which spares a pass over the result.

    Returns:
      [B,H,W,C] in the dtype of `kernels`. ValueError for other arguments.
    """
    if labels.ndim != 3 or kernels.ndim != 5 or labels.shape[0] != kernels.shape[0]:
        raise ValueError(f"labels must be [B,H,W] and kernels [B,k,k,N,C], not {labels.shape} and {kernels.shape}")
    if kernels.shape[1] != kernels.shape[2] or kernels.shape[1] % 2 == 0:
        raise ValueError(f"kernels must be square and odd, not {kernels.shape[1:3]}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers, not {labels.dtype}")
    batch, size, _, classes, channels = kernels.shape
    neighbours = jax.nn.one_hot(label_neighbours(labels, size, classes), classes, dtype=kernels.dtype)  # [B,H,W,k*k,N]
    left = neighbours.reshape(batch, -1, size * size * classes)  # [B,HW,k*k*N]
    right = kernels.reshape(batch, -1, channels)  # [B,k*k*N,C]
    if bias is not None:
        left = jnp.pad(left, ((0, 0), (0, 0), (0, 1)), constant_values=1)  # [B,HW,k*k*N+1]
        row = jnp.broadcast_to(bias.astype(right.dtype), (batch, 1, channels))
        right = jnp.concatenate([right, row], axis=1)  # [B,k*k*N+1,C]
    total = jnp.einsum("bpr,brc->bpc", left, right, preferred_element_type=jnp.float32)  # [B,HW,C]
    return total.reshape(*labels.shape, channels).astype(kernels.dtype)


def label_neighbours(labels: Array, size: int, classes: int) -> Array:
    """The labels under a size x size kernel: [B,H,W] -> [B,H,W,size*size]; `classes` where there is none."""
    pad, (height, width) = size // 2, labels.shape[1:]
    labels = jnp.where((labels >= 0) & (labels < classes), labels, classes)
    padded = jnp.pad(labels, ((0, 0), (pad, pad), (pad, pad)), constant_values=classes)
    shifts = [padded[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    return jnp.stack(shifts, axis=-1)
