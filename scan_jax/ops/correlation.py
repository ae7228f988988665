"""Correlations between patches, of a map with kernels, and between channels; any other shape is a ValueError."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from einops import rearrange
from jax import lax

Array = jax.Array
# A shorter patch counts as zero: the slope of 1 / norm would overflow float32.
_SHORTEST = 1e-12


def patch_correlation(a: Array, b: Array) -> Array:
    """Cosine of the angle between all patches of `a` and `b`; 0 where either is zero (SCAN, eq. (2)).

    [B,P,k,k,C], [B,Q,k,k,C] -> [B,P,Q] in [-1, 1], in the dtype of `a`.
    """
    if a.ndim != 5 or b.ndim != 5 or a.shape[0] != b.shape[0] or a.shape[2:] != b.shape[2:]:
        raise ValueError(f"a must be [B,P,k,k,C] and b [B,Q,k,k,C], not {a.shape} and {b.shape}")
    return full_product("bpd,bqd->bpq", _unit(a), _unit(b)).astype(a.dtype)  # [B,P,Q]


def _unit(patches: Array) -> Array:
    """[B,P,k,k,C] -> [B,P,k*k*C] float32 of length 1, or 0 for zero patches."""
    flat = rearrange(patches.astype(jnp.float32), "b p i j c -> b p (i j c)")
    square = jnp.sum(jnp.square(flat), axis=-1, keepdims=True)  # [B,P,1]
    is_zero = square < _SHORTEST**2
    return flat * jnp.where(is_zero, 0.0, lax.rsqrt(jnp.where(is_zero, 1.0, square)))


def correlate(x: Array, kernels: Array) -> Array:
    """Cross-correlation of each sample with kernels of its own, zeros outside the map (SCAN, section 3.1).

    [B,H,W,C], [B,N,k,k,C] with k odd -> [B,H,W,N], in the dtype of `x`. One matrix product of all pixels with all taps,
    then k*k shifted sums of N channels: a convolution with kernels per sample is a grouped one, which is slow.
    """
    if x.ndim != 4 or kernels.ndim != 5 or x.shape[0] != kernels.shape[0] or x.shape[-1] != kernels.shape[-1]:
        raise ValueError(f"x must be [B,H,W,C] and kernels [B,N,k,k,C], not {x.shape} and {kernels.shape}")
    height = x.shape[1]
    _, count, size, size_too, _ = kernels.shape
    if size != size_too or size % 2 == 0:
        raise ValueError(f"kernels must be square with an odd side, not {size} x {size_too}")
    pad = size // 2
    taps = rearrange(kernels.astype(x.dtype), "b n i j c -> b c (i j n)")
    pixels = rearrange(x, "b h w c -> b (h w) c")
    products = jnp.einsum("bpc,bct->bpt", pixels, taps, preferred_element_type=jnp.float32)  # [B,HW,k*k*N]
    products = rearrange(products, "b (h w) t -> b h w t", h=height)
    total = jnp.zeros((*x.shape[:3], count), jnp.float32)  # [B,H,W,N]
    for i in range(size):
        for j in range(size):
            tap = (i * size + j) * count
            total += _shift(products[..., tap : tap + count], pad - i, pad - j)
    return total.astype(x.dtype)


def _shift(x: Array, down: int, right: int) -> Array:
    """[B,H,W,N] moved down and right, zeros where it came from; unlike one padded copy of all taps, XLA fuses it."""
    nothing = (0, 0, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), (nothing, (down, -down, 0), (right, -right, 0), nothing))


def channel_gram(x: Array) -> Array:
    """Inner products of all pairs of channels over the map, X X^T: all that SCAN's section 3.2 asks of the map.

    [B,H,W,C] -> [B,C,C] in float32. It grows with H*W.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be [B,H,W,C], not {x.shape}")
    return _gram(rearrange(x, "b h w c -> b (h w) c"))


# Differentiation would take one product with the map for each of the two equal factors.
@jax.custom_vjp
def _gram(pixels: Array) -> Array:
    """[B,P,C] -> [B,C,C] float32."""
    return full_product("bpc,bpd->bcd", pixels, pixels)


def _gram_gradient(pixels: Array, slope: Array) -> tuple[Array]:
    """[B,P,C], [B,C,C] -> [B,P,C]."""
    symmetric = (slope + jnp.swapaxes(slope, 1, 2)).astype(pixels.dtype)  # [B,C,C]
    return (full_product("bpc,bcd->bpd", pixels, symmetric).astype(pixels.dtype),)


_gram.defvjp(lambda pixels: (_gram(pixels), pixels), _gram_gradient)


def channel_correlation(gram: Array) -> Array:
    """How each channel goes with all others: (sum_i X_i - X_j) . X_j / C, summed over the map (SCAN, eq. (4)).

    From the channels' inner products `channel_gram`: [B,C,C] -> [B,C] float32. It grows with H*W: divide by that for a
    mean.
    """
    own = jnp.diagonal(gram, axis1=1, axis2=2)  # [B,C]
    return (jnp.sum(gram, axis=1) - own) / gram.shape[-1]


def orthogonality(kernels: Array) -> Array:
    """How far the rows are from orthonormal: ||K K^T - I||_F^2 (SCAN, eq. (1)): [N,C] -> scalar of the same dtype."""
    if kernels.ndim != 2:
        raise ValueError(f"kernels must be [N,C], not {kernels.shape}")
    rows = kernels.astype(jnp.float32)  # [N,C]
    gram = full_product("nc,mc->nm", rows, rows)  # [N,N]
    return jnp.sum(jnp.square(gram - jnp.eye(rows.shape[0]))).astype(kernels.dtype)


def full_product(pattern: str, a: Array, b: Array) -> Array:
    """An einsum that keeps float32 operands whole on accelerators."""
    return jnp.einsum(pattern, a, b, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
