"""The methods' discriminators: fully convolutional, each logit is about a patch.

`PatchDiscriminator` (SCAN, EdgeConnect, region normalisation), `LabelDiscriminator` (masked attention) and `SnPatchGan`
(gated convolution).
"""

from __future__ import annotations

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.normalization import InstanceNorm
from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.ops.strided_convolution import convolve_same


class PatchDiscriminator(nn.Module):
    """The 70x70 patch discriminator (Isola et al. 2017), spectrally normalised.

    Kernels 4, strides 2,2,2,1,1, widths w,2w,4w,8w,1.
    """

    width: int = 64  # w; the paper's setting is 64
    dtype: Any = jnp.float32  # of the convolutions; the logits come back in float32
    # What the first convolution reads: "signed" brings images to [-1, 1], "unit" leaves them in [0, 1], as
    # EdgeConnect's released code does.
    input_range: Literal["signed", "unit"] = "signed"
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()  # of the kernels

    def __call__(self, image: Array, *, train: bool) -> Array:
        """[B,H,W,C] in [0, 1] -> logits [B,H/8-2,W/8-2,1], positive for real."""
        return self.activations(image, train=train)[-1]

    @nn.compact
    def activations(self, image: Array, *, train: bool) -> tuple[Array, ...]:
        """What every layer answers, the logits last: [B,H,W,C] -> [B,H/2,W/2,w], ... [B,H/8-2,W/8-2,1]."""
        x = 2 * image - 1 if self.input_range == "signed" else image
        found = []
        for depth, stride in enumerate((2, 2, 2, 1)):
            x = self._conv(self.width * 2**depth, stride)(x, train=train)
            x = jax.nn.leaky_relu(x, 0.2)  # [B,H/2^(depth+1),...]
            found.append(x)
        return (*found, self._conv(1, 1)(x, train=train).astype(jnp.float32))

    def _conv(self, features: int, stride: int) -> SpectralConv:
        """A convolution of kernel 4 without bias."""
        return SpectralConv(features, stride=stride, use_bias=False, dtype=self.dtype, kernel_init=self.kernel_init)


_WIDEST = 512
_PADDING = 2  # ceil((4 - 1) / 2): kernels of 4 see beyond the border by 2, and maps grow by one pixel


class LabelDiscriminator(nn.Module):
    """Critics of an image beside its label map (pix2pixHD, SPADE) at `scales` sizes, each half of the one before.

    As in the released code, each of `layers` convolutions has stride 2, only those after the first are normalised (by
    spectral and instance norm, without bias), and the one that makes the logits has stride 1 and a bias.
    """

    num_labels: int  # classes
    width: int = 64  # channels of the first layer; they double from layer to layer up to 512
    layers: int = 3  # convolutions before the logits
    scales: int = 2  # how many critics; they share nothing
    dtype: Any = jnp.float32  # of the convolutions; the statistics and the logits are float32

    @nn.compact
    def __call__(self, labels: Array, image: Array, *, train: bool) -> tuple[tuple[Array, ...], ...]:
        """For each scale, fine to coarse, the activations of its layers and last its logits.

        From integer labels [B,H,W], of which one outside [0, num_labels) is no class, and the image [B,H,W,3] in [0, 1]
        to [B,h,w,C] for each layer with h = floor(H/2) + 1 and so on, then the logits [B,h,w,1] float32, positive for
        real. With `train` the spectral norm's vectors take a step. ValueError for other shapes or labels.
        """
        if image.ndim != 4 or labels.shape != image.shape[:3] or not jnp.issubdtype(labels.dtype, jnp.integer):
            raise ValueError(f"integer labels [B,H,W] must fit image [B,H,W,3], not {labels.shape} and {image.shape}")
        classes = jax.nn.one_hot(labels, self.num_labels, dtype=self.dtype)  # [B,H,W,L]
        x = jnp.concatenate([classes, (2 * image - 1).astype(self.dtype)], axis=-1)  # [B,H,W,L+3]
        results = []
        for scale in range(self.scales):
            critic = _ScaleCritic(self.width, self.layers, self.dtype, name=f"scale_{scale}")
            results.append(critic(x, train=train))
            if scale + 1 < self.scales:
                x = nn.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=False)  # [B,ceil(H/2),..]
        return tuple(results)


class _ScaleCritic(nn.Module):
    """The critic of one scale, see `LabelDiscriminator`."""

    width: int
    layers: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, ...]:
        """[B,H,W,L+3] -> activations [B,h,w,C] of each layer, then logits [B,h,w,1]."""
        x = jax.nn.leaky_relu(self._plain("input", self.width, 2)(x), 0.2)  # [B,H/2+1,W/2+1,width]
        results = [x]
        for depth in range(1, self.layers):
            features = min(self.width * 2**depth, _WIDEST)
            conv = SpectralConv(
                features, stride=2, padding=_PADDING, use_bias=False, dtype=self.dtype, name=f"layer_{depth}"
            )
            x = jax.nn.leaky_relu(InstanceNorm()(conv(x, train=train)), 0.2)  # halved once more
            results.append(x)
        return (*results, self._plain("logits", 1, 1)(x).astype(jnp.float32))

    def _plain(self, name: str, features: int, stride: int) -> nn.Conv:
        """A convolution without spectral norm."""
        return nn.Conv(features, (4, 4), strides=stride, padding=_PADDING, dtype=self.dtype, name=name)


WIDTHS = (1, 2, 4, 4, 4, 4)  # of its convolutions, in units of `width`


class SnPatchGan(nn.Module):
    """SN-PatchGAN (Yu et al. 2019): six convolutions of kernel 5 and stride 2, each with LeakyReLU 0.2."""

    width: int = 64  # channels of the first level; the paper's setting is 64
    dtype: Any = jnp.float32  # of the convolutions; the logits come back in float32

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> Array:
        """Judges every patch of an image by every feature: [B,ceil(H/64),ceil(W/64),4*width], positive for real.

        From a photograph or a completion [B,H,W,3] in [0, 1], and known [B,H,W,1]: where the hole is or would have
        been. With `train` the spectral norm takes a step.
        """
        x = jnp.concatenate([2 * image - 1, 1 - known], axis=-1)  # [B,H,W,4]
        for number, widths in enumerate(WIDTHS, start=1):
            conv = SameSpectralConv(widths * self.width, 5, 2, dtype=self.dtype, name=f"conv{number}")
            x = jax.nn.leaky_relu(conv(x, train=train), 0.2)  # [B,ceil(H/2^number),...]
        return x.astype(jnp.float32)


class SameSpectralConv(SpectralConv):
    """A spectrally normalised convolution that is padded as TensorFlow does; `padding` is not used."""

    def _convolve(self, x: Array, kernel: Array) -> Array:
        """[B,H,W,C], [k,k,C,features] -> [B,ceil(H/stride),ceil(W/stride),features]."""
        return convolve_same(x, kernel, stride=self.stride)
