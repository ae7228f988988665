"""Region normalisation's generator (Yu et al. 2020): EdgeConnect's with RN-B in front, RN-L behind."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv
from scan_jax.layers.region_norm import HoleNorm, LearnedRegionNorm, published_start
from scan_jax.layers.residual import reflect
from scan_jax.ops.conv_transpose import shuffle_pixels
from scan_jax.ops.image import check_sides

STRIDE = 16  # the maps' is 4; of those at a quarter, four pixels are what a reflection by two is sure to find
_FAR = 3  # the reach of the outer 7x7 kernels
_DILATION = 2


class RegionNormGenerator(nn.Module):
    """Fills a hole in one pass."""

    width: int = 64  # channels at stride 1, twice and four times as many at strides 2 and 4; the paper's setting is 64
    blocks: int = 8  # dilated residual ones at stride 4; the paper's setting is 8
    threshold: float = 0.8  # of the learned regions' importance; the paper's setting is 0.8
    dtype: Any = jnp.float32  # of the convolutions; statistics are float32

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> Array:
        """[B,H,W,3] in [0, 1], known [B,H,W,1] -> the raw prediction [B,H,W,3] in [0, 1].

        The hole is not read; H and W are multiples of 16. With `train` statistics are the batch's rather than each
        image's.
        """
        check_sides(image, STRIDE)
        conv = partial(Conv, dtype=self.dtype, kernel_init=published_start)
        hole = 1 - known
        x = conv(self.width, 7, padding=0, name="in")(reflect(image * known + hole, _FAR))  # [B,H,W,width]
        x = jax.nn.relu(HoleNorm(name="in_norm")(x, hole, train=train))
        for depth in (1, 2):  # [B,H/2,W/2,2*width], [B,H/4,W/4,4*width]
            x = conv(self.width * 2**depth, 4, 2, name=f"down{depth}")(x)
            # Nearest, as published: one pixel stands for its cell, so a small hole may be gone.
            coarse = hole[:, :: 2**depth, :: 2**depth]  # [B,H/2^depth,W/2^depth,1]
            x = jax.nn.relu(HoleNorm(name=f"down{depth}_norm")(x, coarse, train=train))
        for index in range(self.blocks):
            x = _Block(self.threshold, self.dtype, name=f"block{index}")(x, train=train)
        for depth in (1, 0):  # [B,H/2,W/2,2*width], [B,H,W,width]
            x = shuffle_pixels(conv(4 * self.width * 2**depth, name=f"up{depth}")(x))
            x = jax.nn.relu(LearnedRegionNorm(self.threshold, name=f"up{depth}_norm")(x, train=train))
        rgb = conv(3, 7, padding=0, name="out")(reflect(x, _FAR))  # [B,H,W,3]
        return (jnp.tanh(rgb.astype(jnp.float32)) + 1) / 2


class _Block(nn.Module):
    """x + RN-L(conv3x3(relu(RN-L(dilated conv3x3(x))))), as many channels out as in; the maps go on by reflection."""

    threshold: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        conv = partial(Conv, x.shape[-1], padding=0, dtype=self.dtype, kernel_init=published_start)
        norm = partial(LearnedRegionNorm, self.threshold)
        y = conv(dilation=_DILATION, name="dilated")(reflect(x, _DILATION))
        y = jax.nn.relu(norm(name="dilated_norm")(y, train=train))
        return x + norm(name="plain_norm")(conv(name="plain")(reflect(y, 1)), train=train)
