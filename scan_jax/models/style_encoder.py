"""The style encoder (masked attention, Fig. 1): from the known pixels to one style vector a class."""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, ConvTranspose3, small_xavier
from scan_jax.layers.masked_self_attention import MaskedSelfAttention
from scan_jax.layers.normalization import InstanceNorm

Attention = Literal["none", "self", "masked", "contextual"]


class StyleEncoder(nn.Module):
    """SEAN's encoder with attention: convolutions to strides 1, 2, 4 and back to 2, attention, one style a class."""

    num_labels: int  # classes N
    width: int = 64  # channels at stride 2; half at stride 1, twice at 4, four times where the attention is
    style_size: int = 512  # S, the length of a style
    attention: Attention = "contextual"  # what a query may attend to, see `ops.attention`; "none" leaves the layer out
    target: float | None = None  # mu of the semantic attention loss; None computes none
    query_block: int | None = None  # queries of the attention computed at once
    dtype: Any = jnp.float32  # of the convolutions and products

    @nn.compact
    def __call__(self, image: Array, known: Array, labels: Array) -> Array:
        """Reads the styles [B,N,S] float32 in [-1, 1] off the known pixels of an image [B,H,W,3] in [0, 1].

        A style is the mean over all pixels of its class, by the integer labels [B,H,W], in the hole or not; zero for
        absent classes. The hole of the image, by known [B,H,W,1], is not read. H and W are multiples of 4.
        """
        x = jnp.concatenate([(2 * image - 1) * known, known], axis=-1)  # [B,H,W,4]: grey in the hole
        x = self._activate(self._reflected("in", x, self.width // 2))  # [B,H,W,width/2]
        for depth in (1, 2):  # [B,H/2,W/2,width], [B,H/4,W/4,2*width]
            x = self._activate(self._halved(f"down{depth}", x, self.width * depth))
        x = self._activate(ConvTranspose3(4 * self.width, dtype=self.dtype, name="up")(x))  # [B,H/2,W/2,4*width]
        # Nearest, as the released code has it: pixel (2i, 2j) stands for its cell, in `known` and in `labels` alike.
        known, labels = known[:, ::2, ::2], labels[:, ::2, ::2]  # [B,H/2,W/2,1], [B,H/2,W/2]
        if self.attention != "none":
            attend = MaskedSelfAttention(
                self.attention, self.num_labels, self.target, self.query_block, self.dtype, name="attention"
            )
            x = attend(x, known, labels)
        codes = jnp.tanh(self._reflected("out", x, self.style_size).astype(jnp.float32))  # [B,H/2,W/2,S]
        return class_means(codes, labels, self.num_labels)

    def _activate(self, x: Array) -> Array:
        """Instance normalisation and LeakyReLU."""
        return jax.nn.leaky_relu(InstanceNorm(epsilon=1e-5)(x), 0.2)

    def _reflected(self, name: str, x: Array, features: int) -> Array:
        """A 3x3 convolution of the map continued by reflection."""
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        return Conv(features, padding=0, dtype=self.dtype, kernel_init=small_xavier, name=name)(padded)

    def _halved(self, name: str, x: Array, features: int) -> Array:
        """A 3x3 convolution of stride 2 of the map continued by zeros."""
        padding = ((1, 1), (1, 1))
        conv = nn.Conv(features, (3, 3), 2, padding=padding, dtype=self.dtype, kernel_init=small_xavier, name=name)
        return conv(x)


def class_means(codes: Array, labels: Array, num_labels: int) -> Array:
    """The mean of `codes` over each class's pixels: [B,H,W,S], [B,H,W] -> [B,N,S]; zero where a class has no pixel."""
    members = jax.nn.one_hot(labels, num_labels, dtype=codes.dtype)  # [B,H,W,N]; an unknown label belongs to none
    count = members.sum((1, 2))[..., None]  # [B,N,1]
    return jnp.einsum("bhwn,bhws->bns", members, codes) / jnp.maximum(count, 1)
