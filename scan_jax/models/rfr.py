"""The generator of Recurrent Feature Reasoning (Li et al. 2020, RFR, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, ConvTranspose, torch_uniform
from scan_jax.layers.normalization import AffineBatchNorm
from scan_jax.layers.partial_conv import PartialConv
from scan_jax.ops.contextual_attention import Memory, knowledge_consistent_attention
from scan_jax.ops.image import check_sides, enlarge

STRIDE = 16
ATTENDS_AT = 4  # pixels of the reasoning's map in a pixel that attends
_EPSILON = 1e-7

Activation = Callable[[Array], Array]
_leaky: Activation = partial(jax.nn.leaky_relu, negative_slope=0.2)
_barely_leaky: Activation = partial(jax.nn.leaky_relu, negative_slope=0.01)
_unbiased: Any = partial(PartialConv, use_bias=False, kernel_init=torch_uniform)


class Block(nn.Module):
    """A convolution without bias, batch normalisation, an activation."""

    convolution: Callable[..., Any]  # makes a module, given its name
    activation: Activation  # at the end
    dtype: Any  # of what comes back

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H',W',features]."""
        y = AffineBatchNorm(name="norm")(self.convolution(name="conv")(x), train=train)
        return self.activation(y).astype(self.dtype)


class PartialBlock(nn.Module):
    """Partial convolutions without bias, batch normalisation, an activation."""

    features: int  # output channels of each convolution
    kernel_sizes: Sequence[int]  # of each
    stride: int  # of each
    activation: Activation  # at the end
    dtype: Any  # of the convolutions

    @nn.compact
    def __call__(self, x: Array, known: Array, *, train: bool) -> tuple[Array, Array]:
        """[B,H,W,C], [B,H,W,1] -> [B,H',W',features], [B,H',W',1]."""
        for index, size in enumerate(self.kernel_sizes, start=1):
            conv = _unbiased(self.features, size, self.stride, dtype=self.dtype, name=f"conv{index}")
            x, known = conv(x, known)
        y = AffineBatchNorm(name="norm")(x, train=train)
        return self.activation(y).astype(self.dtype), known


class Attention(nn.Module):
    """Knowledge-consistent attention, and a 1x1 convolution of what it found beside the map."""

    dtype: Any  # of the convolution

    @nn.compact
    def __call__(self, x: Array, known: Array, memory: Memory | None) -> tuple[Array, Memory]:
        """[B,H,W,C], [B,H,W,1], the last recurrence's memory -> [B,H,W,C], this one's."""
        ratio = self.param("ratio", nn.initializers.ones, ())
        found, memory = knowledge_consistent_attention(x, known, ratio, memory)
        mix = Conv(x.shape[-1], 1, padding=0, dtype=self.dtype, name="mix")
        return mix(jnp.concatenate([found, x], axis=-1)), memory


class FeatureReasoning(nn.Module):
    """An encoder down to an eighth and a decoder with skips, which attends at a fourth (section 3.1.2)."""

    width: int  # channels of the map; those at an eighth are eight times as many
    dtype: Any  # of the convolutions

    @nn.compact
    def __call__(self, x: Array, known: Array, memory: Memory | None, *, train: bool) -> tuple[Array, Memory]:
        """[B,H,W,width], [B,H,W,1], the last recurrence's memory -> [B,H,W,width], this one's."""
        w, maps = self.width, []
        block = partial(Block, dtype=self.dtype)
        conv = partial(partial, Conv, use_bias=False, dtype=self.dtype)
        double = partial(partial, ConvTranspose, use_bias=False, dtype=self.dtype)
        for level in (1, 2, 3):
            x = block(conv(w * 2**level, stride=2), jax.nn.relu, name=f"enc{level}")(x, train=train)
            maps.append(x)  # [B,H/2^level,W/2^level,width*2^level]
        for level in (4, 5, 6):
            x = block(conv(8 * w, dilation=2, padding=2), jax.nn.relu, name=f"enc{level}")(x, train=train)
            maps.append(x)  # [B,H/8,W/8,8*width]
        maps.pop()
        for level in (5, 4):
            beside = jnp.concatenate([x, maps.pop()], axis=-1)
            x = block(conv(8 * w, dilation=2, padding=2), _leaky, name=f"dec{level}")(beside, train=train)
        for level, features in ((3, 8 * w), (2, 4 * w), (1, w)):
            beside = jnp.concatenate([x, maps.pop()], axis=-1)
            x = block(double(features), _leaky, name=f"dec{level}")(beside, train=train)  # [B,H/2^(level-1),..]
            if level == 3:
                x, memory = Attention(self.dtype, name="attention")(x, known[:, ::ATTENDS_AT, ::ATTENDS_AT], memory)
        assert memory is not None  # level 3 is among them
        return x, memory


class Bottleneck(nn.Module):
    """relu(x + conv1x1(conv3x3(conv1x1(x)))) by way of a fourth of the channels, each convolution normalised."""

    dtype: Any  # of the convolutions

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C]."""
        width = x.shape[-1]
        conv = partial(partial, Conv, use_bias=False, dtype=self.dtype)
        y = Block(conv(width // 4, 1, padding=0), jax.nn.relu, self.dtype, name="narrow")(x, train=train)
        y = Block(conv(width // 4), jax.nn.relu, self.dtype, name="look")(y, train=train)
        y = Block(conv(width, 1, padding=0), lambda y: y, self.dtype, name="widen")(y, train=train)
        return jax.nn.relu(x + y)


class Rfr(nn.Module):
    """Fills the rim of the hole, again and again, with the same weights; then merges all that it saw on the way."""

    width: int = 64  # channels of the map that recurs; the published width is 64
    recurrences: int = 6  # the published number is 6
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> Array:
        """[B,H,W,3] in [0, 1], known [B,H,W,1] -> [B,H,W,3] float32, in the unit of the image but not bounded.

        The hole is not read; H and W are multiples of 16. With `train` the batch's statistics normalise, and move the
        running ones; else the running ones do.
        """
        check_sides(image, STRIDE)
        x, valid = PartialBlock(self.width, (7,), 2, jax.nn.relu, self.dtype, name="down")(image, known, train=train)
        x, valid = PartialBlock(self.width, (7,), 1, jax.nn.relu, self.dtype, name="rim")(x, valid, train=train)
        shrink = PartialBlock(self.width, (7, 7), 1, _barely_leaky, self.dtype, name="shrink")
        reason = FeatureReasoning(self.width, self.dtype, name="reason")
        maps, knowns, memory = [x], [valid], None
        for _ in range(self.recurrences):
            x, valid = shrink(x, valid, train=train)
            x, memory = reason(x, valid, memory, train=train)
            x = x * valid.astype(x.dtype)
            maps.append(x)
            knowns.append(valid)
        double = partial(ConvTranspose, self.width, use_bias=False, dtype=self.dtype)
        x = Block(double, _barely_leaky, self.dtype, name="up")(merge(maps, knowns), train=train)  # [B,H,W,width]
        valid = enlarge(valid, 2)  # [B,H,W,1]
        return self._paint(image, known, x, valid, train=train)

    def _paint(self, image: Array, known: Array, x: Array, valid: Array, *, train: bool) -> Array:
        """From the image and the merged map, each with what of it is known, to RGB."""
        beside = jnp.concatenate([image.astype(x.dtype), x], axis=-1)
        known = jnp.concatenate([jnp.broadcast_to(known, image.shape), jnp.broadcast_to(valid, x.shape)], axis=-1)
        y, _ = _unbiased(self.width // 2, dtype=self.dtype, name="tail")(beside, known)
        y = _barely_leaky(y)  # [B,H,W,width/2]
        both = jnp.concatenate([y, Bottleneck(self.dtype, name="bottleneck")(y, train=train)], axis=-1)
        return Conv(3, use_bias=False, dtype=self.dtype, name="rgb")(both).astype(jnp.float32)


def merge(maps: Sequence[Array], knowns: Sequence[Array]) -> Array:
    """Each pixel's mean over the maps [B,H,W,C] that know it ([B,H,W,1] each), section 3.1.3; zero where none does."""
    total = reduce(jnp.add, [x.astype(jnp.float32) * known for x, known in zip(maps, knowns)]) / len(maps)
    share = reduce(jnp.add, knowns) / len(knowns)  # [B,H,W,1]
    return (total / (share + _EPSILON)).astype(maps[0].dtype)
