"""Region normalisation (Yu et al. 2020): a map's two regions, each by its own mean and variance.

The released code fills what is outside a region with the region's mean, applies batch normalisation to the whole, and
multiplies by the root of the region's share s of all pixels. The filling has no variance, so what comes out is
(x - mean) * sqrt(s / (s * variance + epsilon)) inside the region and 0 outside: two moments a region are all it takes.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Statistics = Literal["batch", "image"]


def normalize_two_regions(x: Array, region: Array, *, statistics: Statistics, epsilon: float = 1e-5) -> Array:
    """Normalises each channel inside and outside a region, each by its own statistics.

    Args:
      x: [B,H,W,C].
      region: [B,H,W,1], above 0.5 = inside. Either part may be empty. No gradient flows to it.
      statistics: over all pixels of the "batch", or of each "image" alone.
      epsilon: added to the variance times the region's share of all pixels, as published.

    Returns:
      [B,H,W,C] float32.

    Raises:
      ValueError: the shapes do not agree, or no such `statistics`.
    """
    if x.ndim != 4 or region.shape != (*x.shape[:3], 1):
        raise ValueError(f"x must be [B,H,W,C] and region [B,H,W,1], not {x.shape} and {region.shape}")
    if statistics not in ("batch", "image"):
        raise ValueError(f'statistics must be "batch" or "image", not {statistics!r}')
    inside = lax.stop_gradient(region) > 0.5  # [B,H,W,1]
    weights = jnp.concatenate([inside, ~inside], axis=-1).astype(jnp.float32)  # [B,H,W,2]
    return _normalize(x.astype(jnp.float32), weights, statistics, epsilon)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _normalize(x: Array, weights: Array, statistics: Statistics, epsilon: float) -> Array:
    """By weights [B,H,W,2], of which one is 1 at each pixel."""
    return _normalize_forward(x, weights, statistics, epsilon)[0]


def _normalize_forward(
    x: Array, weights: Array, statistics: Statistics, epsilon: float
) -> tuple[Array, tuple[Array, Array, tuple[Array, Array]]]:
    inside, pixels = weights[..., :1] > 0.5, _pixels(weights, statistics)  # [B,H,W,1], [G,1,1,2]
    centred = x - jnp.where(inside, *_means(x, weights, statistics))  # [B,H,W,C]
    shares = jnp.split(jnp.maximum(pixels, 1.0) / jnp.sum(pixels, axis=-1, keepdims=True), 2, axis=-1)  # [G,1,1,1] each
    each = [
        jnp.sqrt(share) * lax.rsqrt(share * variance + epsilon)  # [G,1,1,C]
        for share, variance in zip(shares, _means(jnp.square(centred), weights, statistics))
    ]
    scales = each[0], each[1]
    y: Array = centred * jnp.where(inside, *scales)  # [B,H,W,C]
    return y, (y, weights, scales)


def _normalize_backward(
    statistics: Statistics, epsilon: float, saved: tuple[Array, Array, tuple[Array, Array]], change: Array
) -> tuple[Array, None]:
    """Of each region as of batch normalisation: scale * (change - mean(change) - y * mean(change * y))."""
    del epsilon
    y, weights, scales = saved
    inside = weights[..., :1] > 0.5  # [B,H,W,1]
    level, slope = (jnp.where(inside, *_means(map_, weights, statistics)) for map_ in (change, change * y))
    return jnp.where(inside, *scales) * (change - level - y * slope), None


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _pixels(weights: Array, statistics: Statistics) -> Array:
    """How many there are in each region: [B,H,W,2] -> [G,1,1,2], G = 1 or B."""
    return jnp.sum(weights, axis=(0, 1, 2) if statistics == "batch" else (1, 2), keepdims=True)


def _means(x: Array, weights: Array, statistics: Statistics) -> tuple[Array, Array]:
    """Inside and outside, 0 where there is nothing: [B,H,W,C] -> [G,1,1,C] twice."""
    total = "bhwr,bhwc->rc" if statistics == "batch" else "bhwr,bhwc->brc"
    sums = jnp.einsum(total, weights, x, precision=lax.Precision.HIGHEST)  # [2,C] or [B,2,C]
    pixels = _pixels(weights, statistics)  # [G,1,1,2]
    means = sums.reshape(*pixels.shape, x.shape[-1]) / jnp.maximum(pixels, 1.0)[..., None]  # [G,1,1,2,C]
    return means[..., 0, :], means[..., 1, :]
