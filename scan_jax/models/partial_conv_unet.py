"""The U-Net of partial convolutions (Liu et al. 2018, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.normalization import AffineBatchNorm
from scan_jax.layers.partial_conv import PartialConv
from scan_jax.ops.image import check_sides, enlarge
from scan_jax.ops.imagenet import denormalize, normalize

KERNELS = (7, 5, 5)  # of the encoder's first levels; all others are 3
WIDEST = 8  # levels get wider up to so many times the first one's width
ENCODER, DECODER = "encoder", "decoder"

_leaky = partial(jax.nn.leaky_relu, negative_slope=0.2)
_unbiased: Any = partial(PartialConv, use_bias=False)


def level_widths(width: int, depth: int) -> tuple[int, ...]:
    """Channels of the image and of every level of the encoder."""
    return (3, *(width * min(2**level, WIDEST) for level in range(depth)))


def kernel_sizes(depth: int) -> tuple[int, ...]:
    """Of every level of the encoder."""
    return (*KERNELS, *[3] * (depth - len(KERNELS)))[:depth]


class Level(nn.Module):
    """A partial convolution without bias, batch normalisation, an activation."""

    features: int  # output channels
    kernel_size: int
    stride: int
    activation: Callable[[Array], Array]  # at the end
    dtype: Any  # of the convolution

    @nn.compact
    def __call__(self, x: Array, known: Array, *, train: bool) -> tuple[Array, Array]:
        """[B,H,W,C], [B,H,W,1 or C] -> [B,H',W',features], [B,H',W',1]."""
        y, known = _unbiased(self.features, self.kernel_size, self.stride, dtype=self.dtype, name="conv")(x, known)
        y = AffineBatchNorm(name="norm")(y, train=train)
        return self.activation(y).astype(self.dtype), known


class PartialConvUNet(nn.Module):
    """Halves the map `depth` times and doubles it as often; maps of both halves join with what each knows."""

    width: int = 64  # channels of the first level; the published width is 64
    depth: int = 7  # levels; the published 7 are for 256x256
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: Collection[str] = ()) -> Array:
        """[B,H,W,3] in [0, 1], known [B,H,W,1] -> [B,H,W,3] float32, in the unit of the image but not bounded.

        The hole is not read; H and W are multiples of 2**depth. `train` says which of "encoder" and "decoder" are
        normalised by the batch's statistics, and move the running ones.
        """
        check_sides(image, 2**self.depth)
        maps, knowns = self._encode(normalize(image) * known, known, train=ENCODER in train)
        x, valid = maps[-1], knowns[-1]
        widths = level_widths(self.width, self.depth)
        for level in range(self.depth, 0, -1):
            x, valid = _join(x, valid, maps[level - 1], knowns[level - 1])
            if level > 1:
                decode = Level(widths[level - 1], 3, 1, _leaky, self.dtype, name=f"dec{level}")
                x, valid = decode(x, valid, train=DECODER in train)
        x, _ = PartialConv(3, dtype=self.dtype, name="dec1")(x, valid)
        return denormalize(x.astype(jnp.float32))

    def _encode(self, x: Array, known: Array, *, train: bool) -> tuple[list[Array], list[Array]]:
        """The image and the map of every level, [B,H/2^level,W/2^level,C], and what of them is known."""
        maps, knowns = [x], [known]
        _, first, *widths = level_widths(self.width, self.depth)
        size, *sizes = kernel_sizes(self.depth)
        x, known = _unbiased(first, size, 2, dtype=self.dtype, name="enc1")(x, known)
        x = jax.nn.relu(x)
        maps.append(x)
        knowns.append(known)
        for level, (width, size) in enumerate(zip(widths, sizes), start=2):
            encode = Level(width, size, 2, jax.nn.relu, self.dtype, name=f"enc{level}")
            x, known = encode(x, known, train=train)
            maps.append(x)
            knowns.append(known)
        return maps, knowns


def _join(x: Array, known: Array, skipped: Array, skipped_known: Array) -> tuple[Array, Array]:
    """The map doubled and the encoder's beside it: [B,2h,2w,C+D]; and which of these numbers are known, likewise."""
    x, known = enlarge(x, 2), enlarge(known, 2)
    known = jnp.broadcast_to(known, x.shape)
    skipped_known = jnp.broadcast_to(skipped_known, skipped.shape)
    joined = jnp.concatenate([x, skipped.astype(x.dtype)], axis=-1)
    return joined, jnp.concatenate([known, skipped_known], axis=-1)
