"""Channel Attention Normalization (SCAN, section 3.2): group normalisation whose groups follow channels' meaning."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.correlation import channel_gram, orthogonality
from scan_jax.ops.normalization import group_normalize


class ChannelAttentionNorm(nn.Module):
    """CAN(X) = eta * Xbar + X. Sows the orthogonality of its kernels as a loss.

    Attributes:
      groups: n, the number of groups of channels.
      statistics: which reading of eq. (3), see `group_normalize`.
      scale: "mean" divides both correlations by H*W; "sum" is the paper's letter, which saturates the softmax on
        large maps.
      epsilon: added to each standard deviation; the paper leaves it open, and a channel that is all but constant must
        not be blown up. Products are in the dtype of x; softmax and statistics are float32.
    """

    groups: int = 16
    statistics: Literal["product", "weighted"] = "weighted"
    scale: Literal["mean", "sum"] = "mean"
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
        raw = jnp.einsum("nc,bcd->bdn", kernel, gram)  # R^raw [B,C,N]
        own = jnp.diagonal(gram, axis1=1, axis2=2)  # [B,C]
        regular = (jnp.sum(gram, axis=1) - own) / x.shape[-1]  # R^re [B,C], eq. (4)
        pixels = x.shape[1] * x.shape[2] if self.scale == "mean" else 1
        scores = (raw + regular[:, :, None] * beta[None, None]) / pixels  # [B,C,N]
        groups = jax.nn.softmax(scores, axis=-1).astype(x.dtype)  # R* [B,C,N], eq. (5)
        return x + eta.astype(x.dtype) * group_normalize(x, groups, statistics=self.statistics, epsilon=self.epsilon)
