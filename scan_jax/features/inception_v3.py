"""InceptionV3 (Szegedy et al. 2016) as FID sees it: the network of TensorFlow's 2015 release, in pytorch-fid's layout.

It is not torchvision's: average poolings leave the padding out of the mean, and the last block has a max pooling in
the place of one (an oddity of the release, without which no FID is comparable). Batch normalisation is folded into the
convolutions where the weights are imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.common import check_request, max_pool

LAYERS = ("pool3",)
SIDE = 299  # pixels, whatever comes in
Size = tuple[int, int]
ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
ROW, COLUMN = (1, 7), (7, 1)  # a 7x7 kernel in two steps


class InceptionV3(nn.Module):
    """The 2048 means over the last maps, "pool3"."""

    layers: tuple[str, ...] = LAYERS  # ("pool3",)
    dtype: Any = jnp.float32  # of the convolutions and of what comes back; parameters stay float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1], of any size -> {"pool3": [B,1,1,2048]}."""
        check_request("InceptionV3", image, self.layers, LAYERS)
        x = _resize(image)  # [B,299,299,3]
        x = (2.0 * x - 1.0).astype(self.dtype)
        x = _stem(x, self.dtype)  # [B,35,35,192]
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = BlockA(pooled, dtype=self.dtype, name=name)(x)  # [B,35,35,256], then 288 channels
        x = BlockB(dtype=self.dtype, name="Mixed_6a")(x)  # [B,17,17,768]
        for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
            x = BlockC(width, dtype=self.dtype, name=name)(x)  # [B,17,17,768]
        x = BlockD(dtype=self.dtype, name="Mixed_7a")(x)  # [B,8,8,1280]
        x = BlockE(mean_of_neighbours, dtype=self.dtype, name="Mixed_7b")(x)  # [B,8,8,2048]
        x = BlockE(largest_of_neighbours, dtype=self.dtype, name="Mixed_7c")(x)  # [B,8,8,2048]
        return {"pool3": jnp.mean(x, axis=(1, 2), keepdims=True)}


def _stem(x: Array, dtype: Any) -> Array:
    """[B,299,299,3] -> [B,35,35,192]."""
    x = Unit(32, (3, 3), 2, "VALID", dtype=dtype, name="Conv2d_1a_3x3")(x)  # [B,149,149,32]
    x = Unit(32, (3, 3), 1, "VALID", dtype=dtype, name="Conv2d_2a_3x3")(x)  # [B,147,147,32]
    x = Unit(64, (3, 3), dtype=dtype, name="Conv2d_2b_3x3")(x)  # [B,147,147,64]
    x = max_pool(x, 3)  # [B,73,73,64]
    x = Unit(80, (1, 1), dtype=dtype, name="Conv2d_3b_1x1")(x)  # [B,73,73,80]
    x = Unit(192, (3, 3), 1, "VALID", dtype=dtype, name="Conv2d_4a_3x3")(x)  # [B,71,71,192]
    return max_pool(x, 3)


def _resize(image: Array) -> Array:
    """[B,H,W,3] -> [B,299,299,3], bilinear between pixel centres and without low-pass, as pytorch-fid resizes."""
    shape = (image.shape[0], SIDE, SIDE, 3)
    return jax.image.resize(image.astype(jnp.float32), shape, method="bilinear", antialias=False)


def mean_of_neighbours(x: Array) -> Array:
    """Over the 3x3 around each pixel, as far as it lies inside: [B,H,W,C] -> [B,H,W,C]."""
    return nn.avg_pool(x, THREE, strides=ONE, padding="SAME", count_include_pad=False)


def largest_of_neighbours(x: Array) -> Array:
    """Of the 3x3 around each pixel: [B,H,W,C] -> [B,H,W,C]."""
    return nn.max_pool(x, THREE, strides=ONE, padding="SAME")


class Unit(nn.Module):
    """A convolution into which a batch normalisation was folded, and a ReLU."""

    width: int  # channels that come out
    size: Size = ONE  # of the kernel, height and width
    stride: int = 1  # in both directions
    padding: str = "SAME"  # "SAME" or "VALID", for a stride of 1 or 2
    dtype: Any = jnp.float32  # of the convolution

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,h,w,width]."""
        strides = (self.stride, self.stride)
        x = nn.Conv(self.width, self.size, strides, padding=self.padding, dtype=self.dtype, name="conv")(x)
        return jax.nn.relu(x)


class BlockA(nn.Module):
    """At 35x35: 1x1, 5x5, two 3x3 and a pooling."""

    pooled: int  # channels of the pooling's branch
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,224+pooled]."""
        one = _chain(x, self.dtype, ("branch1x1", 64))
        five = _chain(x, self.dtype, ("branch5x5_1", 48), ("branch5x5_2", 64, FIVE))
        double = ("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)
        three = _chain(x, self.dtype, *double)
        pool = _chain(mean_of_neighbours(x), self.dtype, ("branch_pool", self.pooled))
        return jnp.concatenate([one, five, three, pool], axis=-1)


class BlockB(nn.Module):
    """From 35x35 to 17x17."""

    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,(H-1)//2,(W-1)//2,480+C]."""
        three = _chain(x, self.dtype, ("branch3x3", 384, THREE, 2, "VALID"))
        double = ("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE, 2, "VALID")
        return jnp.concatenate([three, _chain(x, self.dtype, *double), max_pool(x, 3)], axis=-1)


class BlockC(nn.Module):
    """At 17x17: 1x1, 7x7, two 7x7, each in two steps, and a pooling."""

    width: int  # channels inside the branches
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,768]."""
        width = self.width
        one = _chain(x, self.dtype, ("branch1x1", 192))
        single = ("branch7x7_1", width), ("branch7x7_2", width, ROW), ("branch7x7_3", 192, COLUMN)
        seven = _chain(x, self.dtype, *single)
        double = (
            ("branch7x7dbl_1", width),
            ("branch7x7dbl_2", width, COLUMN),
            ("branch7x7dbl_3", width, ROW),
            ("branch7x7dbl_4", width, COLUMN),
            ("branch7x7dbl_5", 192, ROW),
        )
        twice = _chain(x, self.dtype, *double)
        pool = _chain(mean_of_neighbours(x), self.dtype, ("branch_pool", 192))
        return jnp.concatenate([one, seven, twice, pool], axis=-1)


class BlockD(nn.Module):
    """From 17x17 to 8x8."""

    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,(H-1)//2,(W-1)//2,512+C]."""
        three = _chain(x, self.dtype, ("branch3x3_1", 192), ("branch3x3_2", 320, THREE, 2, "VALID"))
        steps = (
            ("branch7x7x3_1", 192),
            ("branch7x7x3_2", 192, ROW),
            ("branch7x7x3_3", 192, COLUMN),
            ("branch7x7x3_4", 192, THREE, 2, "VALID"),
        )
        return jnp.concatenate([three, _chain(x, self.dtype, *steps), max_pool(x, 3)], axis=-1)


class BlockE(nn.Module):
    """At 8x8: 1x1, and 3x3 kernels whose row and column stand side by side, and a pooling."""

    pool: Callable[[Array], Array]  # `mean_of_neighbours` or `largest_of_neighbours`
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,2048]."""
        one = _chain(x, self.dtype, ("branch1x1", 320))
        three = _chain(x, self.dtype, ("branch3x3_1", 384))
        double = _chain(x, self.dtype, ("branch3x3dbl_1", 448), ("branch3x3dbl_2", 384, THREE))
        sides = [
            _chain(three, self.dtype, ("branch3x3_2a", 384, (1, 3))),
            _chain(three, self.dtype, ("branch3x3_2b", 384, (3, 1))),
            _chain(double, self.dtype, ("branch3x3dbl_3a", 384, (1, 3))),
            _chain(double, self.dtype, ("branch3x3dbl_3b", 384, (3, 1))),
        ]
        pool = _chain(self.pool(x), self.dtype, ("branch_pool", 192))
        return jnp.concatenate([one, *sides, pool], axis=-1)


def _chain(x: Array, dtype: Any, *units: tuple[Any, ...]) -> Array:
    """Units one after the other, each as (name, width, size, stride, padding); what is left out is a 1x1's."""
    unit: Any = functools.partial(Unit, dtype=dtype)
    for name, *settings in units:
        x = unit(*settings, name=name)(x)
    return x
