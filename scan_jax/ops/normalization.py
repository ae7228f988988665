"""Normalisation by soft regions of the map, by soft groups of channels (SCAN), and by two hard regions (RN).

The first two never build a map per region. Both compute sum_i (X - mu_i) / (sigma_i + epsilon) * S_i, SCAN's eq. (3),
with one of two readings of mu_i, sigma_i: `"product"`, as printed: mean and standard deviation of X * S_i over all
positions; `"weighted"`, as intended: mean and standard deviation of X under the weights S_i. The sum is
X * (S @ 1/sigma) - S @ (mu/sigma), and all that it needs are moments: of each channel with each region, around a pivot
near the channel's mean so that a large mean costs no digits.

The map x is [B,H,W,C], and so is what comes back. Shapes that do not agree or other `statistics` are a ValueError.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from einops import rearrange
from jax import lax

from scan_jax.ops.correlation import full_product

Array = jax.Array
Statistics = Literal["product", "weighted"]
MomentsOver = Literal["batch", "image"]
# A region (or group) of less total weight than this, of one pixel (or channel), counts as empty: its term drops out.
_EMPTY = 1e-12


def region_normalize(x: Array, regions: Array, *, statistics: Statistics, epsilon: float = 1e-5) -> Array:
    """Normalises each channel within soft regions of the map (SCAN, eq. (3)), in the dtype of `x`.

    `regions` [B,H,W,N] are weights >= 0; they need not sum to one, and a region may be empty.
    """
    if x.ndim != 4 or regions.ndim != 4 or x.shape[:3] != regions.shape[:3]:
        raise ValueError(f"x must be [B,H,W,C] and regions [B,H,W,N], not {x.shape} and {regions.shape}")
    _check_statistics(statistics)
    values = rearrange(x.astype(jnp.float32), "b h w c -> b (h w) c")
    weights = rearrange(regions.astype(jnp.float32), "b h w n -> b (h w) n")
    # The result does not depend on the pivot, so no gradient flows through it.
    pivot = lax.stop_gradient(jnp.mean(values, axis=1, keepdims=True))  # [B,1,C]
    moments = _region_moments_product if statistics == "product" else _region_moments_weighted
    mean, variance = moments(values - pivot, weights, pivot)  # [B,N,C] both, mean as a distance from the pivot
    scale = _inverse_deviation(variance, jnp.sum(weights, axis=1)[:, :, None], epsilon)  # [B,N,C]
    slope = _spread(weights, scale)  # [B,HW,C]
    shift = _spread(weights, mean * scale)  # [B,HW,C]
    result = (values - pivot) * slope - shift  # [B,HW,C]
    return rearrange(result, "b (h w) c -> b h w c", h=x.shape[1]).astype(x.dtype)


# Each of the two products is the other's transpose. Left to itself, differentiation writes the transposes with their
# output axes swapped, which makes the gradient three times as slow on a CPU.
@jax.custom_vjp
def _gather(weights: Array, values: Array) -> Array:
    """Sums over the map under each region's weights: [B,P,N], [B,P,C] -> [B,N,C]."""
    return full_product("bpn,bpc->bnc", weights, values)


@jax.custom_vjp
def _spread(weights: Array, moments: Array) -> Array:
    """Each position's mixture of the regions' values: [B,P,N], [B,N,C] -> [B,P,C]."""
    return full_product("bpn,bnc->bpc", weights, moments)


_gather.defvjp(
    lambda weights, values: (_gather(weights, values), (weights, values)),
    lambda pair, slope: (full_product("bpc,bnc->bpn", pair[1], slope), _spread(pair[0], slope)),
)
_spread.defvjp(
    lambda weights, moments: (_spread(weights, moments), (weights, moments)),
    lambda pair, slope: (full_product("bpc,bnc->bpn", slope, pair[1]), _gather(pair[0], slope)),
)


def _region_moments_weighted(offset: Array, weights: Array, pivot: Array) -> tuple[Array, Array]:
    """Mean, as a distance from the pivot, and variance of each channel in each region: [B,N,C] both."""
    del pivot  # both are free of it
    share = 1.0 / jnp.maximum(jnp.sum(weights, axis=1), _EMPTY)[:, :, None]  # [B,N,1]
    mean = share * _gather(weights, offset)  # [B,N,C]
    square = share * _gather(weights, jnp.square(offset))  # [B,N,C]
    return mean, square - jnp.square(mean)


def _region_moments_product(offset: Array, weights: Array, pivot: Array) -> tuple[Array, Array]:
    """Mean, less the pivot m, and variance of X * S_i over all positions, with X = m + d: [B,N,C] both.

    Var(X S) = m^2 Var S + 2 m Cov(S, d S) + Var(d S).
    """
    count = weights.shape[1]
    mean_weight = jnp.mean(weights, axis=1, keepdims=True)  # [B,1,N]
    spread = weights - mean_weight  # [B,HW,N]
    m = pivot  # [B,1,C]
    mean_product = _gather(weights, offset) / count  # [B,N,C]
    covariance = _gather(spread * weights, offset) / count  # [B,N,C]
    square = _gather(jnp.square(weights), jnp.square(offset)) / count  # [B,N,C]
    weight_variance = jnp.mean(jnp.square(spread), axis=1)[:, :, None]  # [B,N,1]
    variance = jnp.square(m) * weight_variance + 2 * m * covariance + square - jnp.square(mean_product)  # [B,N,C]
    mean = m * (jnp.swapaxes(mean_weight, 1, 2) - 1) + mean_product  # [B,N,C]
    return mean, variance


def group_normalize(x: Array, groups: Array, *, statistics: Statistics, epsilon: float = 1e-5) -> Array:
    """Normalises the map within soft groups of channels, over channels and positions (SCAN, section 3.2), in x's dtype.

    `groups` [B,C,N] are weights >= 0; a group may be empty. Everything follows from each channel's mean and variance,
    and the result is one affine map per channel.
    """
    if x.ndim != 4 or groups.ndim != 3 or groups.shape[:2] != (x.shape[0], x.shape[3]):
        raise ValueError(f"x must be [B,H,W,C] and groups [B,C,N], not {x.shape} and {groups.shape}")
    _check_statistics(statistics)
    values = x.astype(jnp.float32)  # [B,H,W,C]
    weights = groups.astype(jnp.float32)  # [B,C,N]
    pivot = lax.stop_gradient(jnp.mean(values, axis=(1, 2)))  # [B,C]
    offset = values - pivot[:, None, None, :]  # [B,H,W,C]
    correction = jnp.mean(offset, axis=(1, 2))  # [B,C], what rounding left out of the pivot
    channel_mean = (pivot + correction)[:, :, None]  # [B,C,1]
    channel_variance = (jnp.mean(jnp.square(offset), axis=(1, 2)) - jnp.square(correction))[:, :, None]  # [B,C,1]
    moments = _group_moments_product if statistics == "product" else _group_moments_weighted
    mean, variance = moments(channel_mean, channel_variance, weights)  # [B,1,N] both
    scale = _inverse_deviation(variance, jnp.sum(weights, axis=1, keepdims=True), epsilon)  # [B,1,N]
    slope = jnp.sum(weights * scale, axis=2)[:, None, None, :]  # [B,1,1,C]
    level = jnp.sum(weights * scale * (pivot[:, :, None] - mean), axis=2)[:, None, None, :]  # [B,1,1,C]
    return (offset * slope + level).astype(x.dtype)


def _group_moments_weighted(mean: Array, variance: Array, weights: Array) -> tuple[Array, Array]:
    """Of channels' moments [B,C,1] and weights [B,C,N], the groups' mean and variance: [B,1,N] both."""
    share = weights / jnp.maximum(jnp.sum(weights, axis=1, keepdims=True), _EMPTY)  # [B,C,N]
    group_mean = jnp.sum(share * mean, axis=1, keepdims=True)  # [B,1,N]
    return group_mean, jnp.sum(share * (variance + jnp.square(mean - group_mean)), axis=1, keepdims=True)


def _group_moments_product(mean: Array, variance: Array, weights: Array) -> tuple[Array, Array]:
    """Of channels' moments [B,C,1] and weights [B,C,N], mean and variance of X * S_i over (C,H,W): [B,1,N] both."""
    group_mean = jnp.mean(weights * mean, axis=1, keepdims=True)  # [B,1,N]
    within = jnp.square(weights) * variance  # [B,C,N]
    between = jnp.square(weights * mean - group_mean)  # [B,C,N]
    return group_mean, jnp.mean(within + between, axis=1, keepdims=True)


def _check_statistics(statistics: str) -> None:
    if statistics not in ("product", "weighted"):
        raise ValueError(f'statistics must be "product" or "weighted", not {statistics!r}')


def _inverse_deviation(variance: Array, total: Array, epsilon: float) -> Array:
    """1 / (sqrt(variance) + epsilon), 0 where the region is empty; the root's slope is 0 at no variance."""
    flat = variance <= 0  # rounding can leave it below zero
    deviation = jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, variance)))
    return jnp.where(total > _EMPTY, 1.0 / (deviation + epsilon), 0.0)


def normalize_two_regions(x: Array, region: Array, *, statistics: MomentsOver, epsilon: float = 1e-5) -> Array:
    """Normalises each channel inside and outside a region, each by its own statistics, in float32.

    Args:
      x: [B,H,W,C].
      region: [B,H,W,1], above 0.5 = inside. Either part may be empty. No gradient flows to it.
      statistics: over all pixels of the "batch", or of each "image" alone.
      epsilon: added to the variance times the region's share of all pixels, as published.
    """
    if x.ndim != 4 or region.shape != (*x.shape[:3], 1):
        raise ValueError(f"x must be [B,H,W,C] and region [B,H,W,1], not {x.shape} and {region.shape}")
    if statistics not in ("batch", "image"):
        raise ValueError(f'statistics must be "batch" or "image", not {statistics!r}')
    inside = lax.stop_gradient(region) > 0.5  # [B,H,W,1]
    weights = jnp.concatenate([inside, ~inside], axis=-1).astype(jnp.float32)  # [B,H,W,2]
    return _normalize(x.astype(jnp.float32), weights, statistics, epsilon)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _normalize(x: Array, weights: Array, statistics: MomentsOver, epsilon: float) -> Array:
    """By weights [B,H,W,2], of which one is 1 at each pixel."""
    return _normalize_forward(x, weights, statistics, epsilon)[0]


def _normalize_forward(
    x: Array, weights: Array, statistics: MomentsOver, epsilon: float
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
    statistics: MomentsOver, epsilon: float, saved: tuple[Array, Array, tuple[Array, Array]], change: Array
) -> tuple[Array, None]:
    """Of each region as of batch normalisation: scale * (change - mean(change) - y * mean(change * y))."""
    del epsilon
    y, weights, scales = saved
    inside = weights[..., :1] > 0.5  # [B,H,W,1]
    level, slope = (jnp.where(inside, *_means(map_, weights, statistics)) for map_ in (change, change * y))
    return jnp.where(inside, *scales) * (change - level - y * slope), None


_normalize.defvjp(_normalize_forward, _normalize_backward)


def _pixels(weights: Array, statistics: MomentsOver) -> Array:
    """How many there are in each region: [B,H,W,2] -> [G,1,1,2], G = 1 or B."""
    return jnp.sum(weights, axis=(0, 1, 2) if statistics == "batch" else (1, 2), keepdims=True)


def _means(x: Array, weights: Array, statistics: MomentsOver) -> tuple[Array, Array]:
    """Inside and outside, 0 where there is nothing: [B,H,W,C] -> [G,1,1,C] twice."""
    total = "bhwr,bhwc->rc" if statistics == "batch" else "bhwr,bhwc->brc"
    sums = full_product(total, weights, x)  # [2,C] or [B,2,C]
    pixels = _pixels(weights, statistics)  # [G,1,1,2]
    means = sums.reshape(*pixels.shape, x.shape[-1]) / jnp.maximum(pixels, 1.0)[..., None]  # [G,1,1,2,C]
    return means[..., 0, :], means[..., 1, :]
