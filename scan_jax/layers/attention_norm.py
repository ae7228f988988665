"""SCAN's two layers: soft regions of the map, and soft groups of channels, each normalised by its own statistics.

Spatial Attention Normalization (SAN, section 3.1) and Channel Attention Normalization (CAN, section 3.2).
"""

from __future__ import annotations

import functools
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.correlation import channel_correlation, channel_gram, correlate, orthogonality, patch_correlation
from scan_jax.ops.normalization import group_normalize, region_normalize
from scan_jax.ops.patches import extract_patches, sample_positions

PATCH_SIZE = 3  # Fig. 1


class SpatialAttentionNorm(nn.Module):
    """SAN(X) = gamma * Xbar + X, with Xbar of eq. (3). Sows the orthogonality of its kernels, eq. (1), as a loss."""

    regions: int = 16  # n, the number of semantic entities
    statistics: Literal["product", "weighted"] = "weighted"  # which reading of eq. (3), see `region_normalize`
    # "unit" brings the sampled patches to length 1, commensurate with the learned kernels; "raw" takes them as
    # printed, with sums over 9C products that saturate the softmax.
    kernels: Literal["unit", "raw"] = "unit"
    # Added to each standard deviation; the paper leaves it open, and a channel that is all but constant must not be
    # blown up. Products are in the dtype of x; softmax and statistics are float32.
    epsilon: float = 1e-3

    @nn.compact
    def __call__(self, x: Array, encoded: Array, known: Array, keys: Array) -> Array:
        """X, the decoder's features, and F, the encoder's at this level [B,H,W,C] -> [B,H,W,C].

        `known` [B,H,W,1] is as the encoder's partial convolutions left it at this level; of the random `keys` [B], one
        a sample, come the patches.
        """
        kernel = self.param("kernel", nn.initializers.orthogonal(), (self.regions, x.shape[-1]))  # K_s [N,C]
        alpha = self.param("alpha", nn.initializers.constant(0.1), (self.regions,))
        gamma = self.param("gamma", nn.initializers.zeros, ())
        self.sow("losses", "orthogonality", orthogonality(kernel))
        filters = self_sampled_filters(x, encoded, known, keys, count=self.regions, kernels=self.kernels)
        # S^raw + alpha S^re is one correlation: K_s, being 1x1, sits at the centre of the filters.
        centre = PATCH_SIZE // 2
        filters = alpha[None, :, None, None, None] * filters.astype(jnp.float32)  # [B,N,3,3,C]
        filters = filters.at[:, :, centre, centre].add(kernel[None])
        scores = correlate(x, filters).astype(jnp.float32)  # S [B,H,W,N]
        regions = jax.nn.softmax(scores, axis=-1).astype(x.dtype)  # S* [B,H,W,N]
        return x + gamma.astype(x.dtype) * region_normalize(
            x, regions, statistics=self.statistics, epsilon=self.epsilon
        )


def self_sampled_filters(
    x: Array, encoded: Array, known: Array, keys: Array, *, count: int, kernels: Literal["unit", "raw"]
) -> Array:
    """s(F)^n: of 2n random known patches the n most similar to any of 2n random hole patches, eq. (2): [B,n,3,3,C].

    The hole's come from x, the known ones from `encoded`, [B,H,W,C] each; `known` is [B,H,W,1], `keys` are [B], n is
    the `count`. Zero for a sample without a hole or without a known pixel, so that the term drops out.
    """
    # Both regions are drawn from by one program: random draws are most of what a compiler has to do in this layer.
    regions = jnp.stack([known[..., 0] < 0.5, known[..., 0] >= 0.5], axis=1)  # [B,2,H,W], hole and known
    draw = jax.vmap(functools.partial(sample_positions, count=2 * count))
    at, usable = draw(jax.vmap(jax.random.split)(keys), regions)  # [B,2,2n,2], [B,2,2n]
    hole_patches = extract_patches(x, at[:, 0], PATCH_SIZE)  # [B,2n,3,3,C]
    known_patches = extract_patches(encoded, at[:, 1], PATCH_SIZE)  # [B,2n,3,3,C]
    similarity = jax.lax.stop_gradient(patch_correlation(hole_patches, known_patches))  # phi [B,2n,2n]
    best = jax.lax.top_k(similarity.max(axis=1), count)[1]  # [B,n]: the choice has no gradient
    chosen = jnp.take_along_axis(known_patches, best[:, :, None, None, None], axis=1)  # [B,n,3,3,C]
    if kernels == "unit":
        square = jnp.sum(jnp.square(chosen.astype(jnp.float32)), axis=(2, 3, 4), keepdims=True)  # [B,n,1,1,1]
        chosen = chosen * jax.lax.rsqrt(square + 1e-12).astype(chosen.dtype)
    both = jnp.all(jnp.any(usable, axis=2), axis=1)  # [B]
    return jnp.where(both[:, None, None, None, None], chosen, 0)


class ChannelAttentionNorm(nn.Module):
    """CAN(X) = eta * Xbar + X. Sows the orthogonality of its kernels as a loss."""

    groups: int = 16  # n, the number of groups of channels
    statistics: Literal["product", "weighted"] = "weighted"  # which reading of eq. (3), see `group_normalize`
    # "mean" divides both correlations by H*W; "sum" is as printed, and saturates the softmax on large maps.
    scale: Literal["mean", "sum"] = "mean"
    # Added to each standard deviation; the paper leaves it open, and a channel that is all but constant must not be
    # blown up. Correlations, softmax and statistics are float32, at full precision.
    epsilon: float = 1e-3

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        kernel = self.param("kernel", nn.initializers.orthogonal(), (self.groups, x.shape[-1]))  # K_c [N,C]
        beta = self.param("beta", nn.initializers.constant(0.1), (self.groups,))
        eta = self.param("eta", nn.initializers.zeros, ())
        self.sow("losses", "orthogonality", orthogonality(kernel))
        # R^raw = C X^T with C = K_c X, and eq. (4) sums products of channels: both follow from one pass over the map.
        gram = channel_gram(x)  # X X^T [B,C,C]
        raw = jnp.einsum("nc,bcd->bdn", kernel, gram, precision=jax.lax.Precision.HIGHEST)  # R^raw [B,C,N]
        regular = channel_correlation(gram)  # R^re [B,C], eq. (4)
        pixels = x.shape[1] * x.shape[2] if self.scale == "mean" else 1
        scores = (raw + regular[:, :, None] * beta[None, None]) / pixels  # [B,C,N]
        groups = jax.nn.softmax(scores, axis=-1).astype(x.dtype)  # R* [B,C,N], eq. (5)
        return x + eta.astype(x.dtype) * group_normalize(x, groups, statistics=self.statistics, epsilon=self.epsilon)
