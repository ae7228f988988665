"""SEAN (Zhu et al. 2020) as the masked attention paper uses it: an image from a label map and one style a class.

Its normalisation, ACE with SPADE's label branch, is `layers.region_style`.
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, small_xavier
from scan_jax.layers.prior import Correction, Prior
from scan_jax.layers.region_style import RegionStyleNorm
from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.models.style_encoder import Attention, StyleEncoder
from scan_jax.ops.convolution import convolve_labels
from scan_jax.ops.image import enlarge

STRIDE = 32
# name, channels in units of width, stride at which it works; the last one is painted from the labels alone
BLOCKS = (
    ("head", 16, 32),
    ("middle0", 16, 16),
    ("middle1", 16, 16),
    ("up0", 8, 8),
    ("up1", 4, 4),
    ("up2", 2, 2),
    ("up3", 1, 1),
)


class StyleResidualBlock(nn.Module):
    """Twice style norm, LeakyReLU and a spectral conv3x3, beside x or, where the width changes, a spectral conv1x1."""

    features: int  # output channels
    num_labels: int  # this and the next two as in `RegionStyleNorm`
    hidden: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, labels: Array, styles: Array | None, keys: Array | None, *, train: bool) -> Array:
        """[B,H,W,C], [B,H,W], [B,N,S] or None, [B] keys or None -> [B,H,W,features]."""

        def normalize(x: Array, place: int) -> Array:
            norm = RegionStyleNorm(self.num_labels, self.hidden, self.dtype, name=f"norm{place}")
            return norm(x, labels, styles, _fold_in(keys, place), train=train)

        def convolve(x: Array, features: int, name: str) -> Array:
            return SpectralConv(features, 3, 1, 1, dtype=self.dtype, name=name)(x, train=train)

        middle = min(x.shape[-1], self.features)
        y = convolve(jax.nn.leaky_relu(normalize(x, 0), 0.2), middle, "conv0")  # [B,H,W,middle]
        y = convolve(jax.nn.leaky_relu(normalize(y, 1), 0.2), self.features, "conv1")  # [B,H,W,features]
        if x.shape[-1] != self.features:
            shortcut = SpectralConv(self.features, 1, 1, 0, use_bias=False, dtype=self.dtype, name="shortcut")
            x = shortcut(normalize(x, 2), train=train)
        return x + y


class StyleDecoder(nn.Module):
    """From labels at a 32nd of the size to the image: seven residual blocks, doubling the map in between."""

    num_labels: int  # classes N
    width: int = 64  # channels before the last convolution; 16 times as many at the start
    hidden: int = 128  # channels inside the label branches
    dtype: Any = jnp.float32  # of the convolutions and products

    @nn.compact
    def __call__(self, styles: Array, labels: Array, keys: Array | None, *, train: bool) -> Array:
        """[B,N,S], [B,H,W], [B] keys or None -> [B,H,W,3] float32 in [0, 1]."""
        stride = STRIDE
        x = self._start(labels[:, ::stride, ::stride])  # [B,H/32,W/32,16*width]
        for place, (name, width, block_stride) in enumerate(BLOCKS):
            if block_stride < stride:
                x, stride = enlarge(x, 2), block_stride  # nearest
            block = StyleResidualBlock(width * self.width, self.num_labels, self.hidden, self.dtype, name=name)
            block_styles = None if name == BLOCKS[-1][0] else styles
            x = block(x, labels[:, ::stride, ::stride], block_styles, _fold_in(keys, place), train=train)
        x = jax.nn.leaky_relu(x, 0.2)  # [B,H,W,width]
        rgb = Conv(3, dtype=self.dtype, kernel_init=small_xavier, name="rgb")(x)
        return (jnp.tanh(rgb.astype(jnp.float32)) + 1) / 2

    def _start(self, labels: Array) -> Array:
        """conv3x3 of the one-hot labels: [B,H,W] -> [B,H,W,16*width]."""
        features = BLOCKS[0][1] * self.width
        kernel = self.param("start_kernel", small_xavier, (3, 3, self.num_labels, features)).astype(self.dtype)
        bias = self.param("start_bias", nn.initializers.zeros, (features,)).astype(self.dtype)
        kernels = jnp.broadcast_to(kernel, (labels.shape[0], *kernel.shape))
        return convolve_labels(labels, kernels) + bias[None, None, None]


class Sean(nn.Module):
    """The generator of the masked attention paper: `encode` reads the styles, `decode` paints with them.

    With a prior, which the paper does not have, `correct` looks at the painted image and at the prior's filling, and
    corrects the latter.
    """

    num_labels: int  # classes N
    width: int = 64  # scales every layer; the papers' setting is 64
    style_size: int = 512  # S, the length of a style
    hidden: int = 128  # channels inside the label branches
    attention: Attention = "contextual"  # this and the next two as in `StyleEncoder`
    target: float | None = None
    query_block: int | None = None
    # What fills the hole beforehand; "none" is the paper's.
    prior: Literal["none", "harmonic", "biharmonic", "both"] = "none"
    dtype: Any = jnp.float32  # of the convolutions and products; statistics, softmax and the image are float32

    def setup(self) -> None:
        """Builds both halves, and what corrects a prior."""
        self.encoder = StyleEncoder(
            self.num_labels,
            self.width,
            self.style_size,
            self.attention,
            self.target,
            self.query_block,
            self.dtype,
        )
        self.decoder = StyleDecoder(self.num_labels, self.width, self.hidden, self.dtype)
        if self.prior != "none":
            self.equation = Prior(self.prior)
            self.correction = Correction(2 * self.width, self.dtype)

    def __call__(self, image: Array, known: Array, labels: Array, keys: Array | None, *, train: bool) -> Array:
        """Paints the image [B,H,W,3] in [0, 1] anew, known pixels included: [B,H,W,3] float32 in [0, 1].

        Args:
          image: what stands in the hole is not read. H and W are multiples of 32.
          known: [B,H,W,1].
          labels: [B,H,W] integers; one outside 0..N-1 is of no class.
          keys: [B] random keys for the noise, one a sample, or None for no noise.
          train: whether batch statistics are the batch's, and the running ones and spectral vectors move.
        """
        return self.decode(self.encode(image, known, labels), labels, keys, train=train)

    def fill(
        self, image: Array, known: Array, labels: Array, keys: Array | None, *, train: bool
    ) -> tuple[Array, Array]:
        """The arguments of a call -> the painted image and the filled one, [B,H,W,3] each."""
        painted = self(image, known, labels, keys, train=train)
        return painted, self.correct(painted, image, known, labels)

    def encode(self, image: Array, known: Array, labels: Array) -> Array:
        """The styles: [B,H,W,3], [B,H,W,1], [B,H,W] -> [B,N,S]."""
        _check_size(labels)
        return self.encoder(image, known, labels)

    def decode(self, styles: Array, labels: Array, keys: Array | None, *, train: bool) -> Array:
        """The image: [B,N,S], [B,H,W], [B] keys or None -> [B,H,W,3] in [0, 1]."""
        _check_size(labels)
        return self.decoder(styles, labels, keys, train=train)

    def correct(self, painted: Array, image: Array, known: Array, labels: Array) -> Array:
        """The filled image [B,H,W,3]: the prior's filling, corrected; without a prior the `painted` image [B,H,W,3].

        It may go a little beyond [0, 1], where the correction goes too far.
        """
        if self.prior == "none":
            return painted
        filled, apart = self.equation(image, known)  # [B,H,W,3], [B,H,W,0 or 3]
        classes = jax.nn.one_hot(labels, self.num_labels)  # [B,H,W,N]
        change = self.correction(jnp.concatenate([filled, painted, apart, known, classes], axis=-1))  # [B,H,W,3]
        return filled + (1 - known) * change


def _fold_in(keys: Array | None, place: int) -> Array | None:
    """Keys of their own for a layer."""
    return None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, place)


def _check_size(labels: Array) -> None:
    if labels.ndim != 3 or labels.shape[1] % STRIDE or labels.shape[2] % STRIDE:
        raise ValueError(f"labels must be [B,H,W] with H and W multiples of {STRIDE}, not {labels.shape}; pad them")
