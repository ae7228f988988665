"""The attention layer of the style encoder (masked attention, section III-A), after SAGAN's (Zhang et al. 2019).

What is masked, and the semantic attention loss, is in `ops.attention`.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from einops import rearrange

from scan_jax.core.types import Array
from scan_jax.layers.conv import small_xavier
from scan_jax.ops.attention import Kind, attend_with_semantic_loss, masked_attention


class MaskedSelfAttention(nn.Module):
    """gamma * attention(x) + x, with query and key of C/8 channels and gamma starting at 0.

    Sows the semantic attention loss [B] as losses/semantic_attention where it has a target; and, for a picture of the
    attention by `ops.attention.attention_rows`, intermediates/attention: query and key [B,HW,C/8] and known [B,HW].
    """

    kind: Kind = "contextual"  # "self", "masked" or "contextual", see `ops.attention`
    num_labels: int = 1  # classes, for the semantic attention loss
    target: float | None = None  # mu of eq. (4), such as 5e-4; None computes no loss
    query_block: int | None = None  # queries computed at once; None keeps a block's logits near 16 MiB
    dtype: Any = jnp.float32  # of the convolutions and products; the softmax and the loss are float32
    # Of the three convolutions. Logits are not scaled: with kernels near zero, as in the released code, attention
    # starts uniform over the keys that count.
    kernel_init: nn.initializers.Initializer = small_xavier

    @nn.compact
    def __call__(self, x: Array, known: Array, labels: Array | None = None) -> Array:
        """[B,H,W,C], known [B,H,W,1], labels [B,H,W] or None -> [B,H,W,C] in the dtype of x; C is at least 8.

        Only the loss reads the labels. ValueError for other shapes, or a target and no labels.
        """
        _check(x, known, labels, self.target)
        query, key, value = (
            rearrange(self._project(name, x, features), "b h w c -> b (h w) c")
            for name, features in (("query", x.shape[-1] // 8), ("key", x.shape[-1] // 8), ("value", x.shape[-1]))
        )
        seen = rearrange(known, "b h w 1 -> b (h w)")
        self.sow("intermediates", "attention", {"query": query, "key": key, "known": seen})
        attended = self._attend(query, key, value, seen, labels)  # [B,HW,C]
        gamma = self.param("gamma", nn.initializers.zeros, ())
        return x + gamma.astype(x.dtype) * attended.reshape(x.shape).astype(x.dtype)

    def _project(self, name: str, x: Array, features: int) -> Array:
        """[B,H,W,C] -> [B,H,W,features] by a 1x1 convolution."""
        return nn.Conv(features, (1, 1), dtype=self.dtype, kernel_init=self.kernel_init, name=name)(x)

    def _attend(self, query: Array, key: Array, value: Array, known: Array, labels: Array | None) -> Array:
        """[B,N,D], [B,N,D], [B,N,C], [B,N], [B,H,W] -> [B,N,C]."""
        if self.target is None or labels is None:
            return masked_attention(query, key, value, known, self.kind, query_block=self.query_block)
        attended, loss = attend_with_semantic_loss(
            query,
            key,
            value,
            rearrange(labels, "b h w -> b (h w)"),
            known,
            self.kind,
            num_labels=self.num_labels,
            target=self.target,
            query_block=self.query_block,
        )
        self.sow("losses", "semantic_attention", loss)
        return attended


def _check(x: Array, known: Array, labels: Array | None, target: float | None) -> None:
    if x.ndim != 4 or x.shape[-1] < 8 or known.shape != (*x.shape[:3], 1):
        raise ValueError(f"x must be [B,H,W,C] with C >= 8 and known [B,H,W,1], not {x.shape} and {known.shape}")
    if target is not None and labels is None:
        raise ValueError("the semantic attention loss needs labels [B,H,W]; without labels, target must be None")
    if labels is not None and labels.shape != x.shape[:3]:
        raise ValueError(f"labels must be {x.shape[:3]}, the size of x, not {labels.shape}")
