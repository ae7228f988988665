"""The two layers of region normalisation (Yu et al. 2020): by the hole, and by a region that is learned."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv
from scan_jax.ops.normalization import MomentsOver, normalize_two_regions

SPAN = 7  # pixels under the kernels of the self-aware affine transform
# A tenth of He's normal initialisation, as the released code starts all kernels. Its biases, which it draws with a
# deviation of 1, start at zero here.
published_start = nn.initializers.variance_scaling(0.02, "fan_in", "normal")


def statistics_in(train: bool) -> MomentsOver:
    """Over the batch in training, as published; over each image besides, whose answer then is its own."""
    return "batch" if train else "image"


class HoleNorm(nn.Module):
    """RN-B: hole and known pixels are normalised apart, each with a scale of its own.

    As in the released code, both shifts are added everywhere: their sum is what counts.
    """

    @nn.compact
    def __call__(self, x: Array, hole: Array, *, train: bool) -> Array:
        """[B,H,W,C] and hole [B,H,W,1] -> [B,H,W,C] in the dtype of x."""
        hole_scale, hole_shift, known_scale, known_shift = (
            self.param(f"{part}_{kind}", nn.initializers.zeros, (x.shape[-1],))
            for part in ("hole", "known")
            for kind in ("scale", "shift")
        )
        y = normalize_two_regions(x, hole, statistics=statistics_in(train))  # [B,H,W,C]
        scale = 1 + jnp.where(hole > 0.5, hole_scale[None, None, None], known_scale[None, None, None])  # [B,H,W,C]
        return (y * scale + (hole_shift + known_shift)[None, None, None]).astype(x.dtype)


class LearnedRegionNorm(nn.Module):
    """RN-L: the region is where a learned importance is high; scale and shift of each pixel follow from it as well."""

    threshold: float = 0.8  # of the importance, in (0, 1); no gradient flows through the choice

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C] in the dtype of x."""
        values = x.astype(jnp.float32)
        summary = [jnp.mean(values, axis=-1, keepdims=True), jnp.max(values, axis=-1, keepdims=True)]
        conv: dict[str, Any] = {"kernel_size": SPAN, "padding": SPAN // 2, "kernel_init": published_start}
        logits = Conv(1, use_bias=False, name="importance", **conv)(jnp.concatenate(summary, axis=-1))
        importance = jax.nn.sigmoid(logits)  # [B,H,W,1]
        scale, shift = jnp.split(Conv(2, name="affine", **conv)(importance), 2, axis=-1)  # [B,H,W,1] each
        region = (importance >= self.threshold).astype(jnp.float32)  # [B,H,W,1]
        y = normalize_two_regions(values, region, statistics=statistics_in(train))
        return (y * (1 + scale) + shift).astype(x.dtype)
