"""The label-conditioned critic of two scales (Wang et al. 2018, pix2pixHD; with spectral norm as in SPADE and SEAN)."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.instance_norm import InstanceNorm
from scan_jax.layers.spectral_conv import SpectralConv

_WIDEST = 512
_PADDING = 2  # ceil((4 - 1) / 2): kernels of 4 see beyond the border by 2, and maps grow by one pixel


class LabelDiscriminator(nn.Module):
    """Judges patches of an image beside its label map, at `scales` sizes, each half of the one before.

    As in the released code, each of `layers` convolutions has stride 2, only those after the first are normalised (by
    spectral and instance norm, without bias), and the one that makes the logits has stride 1 and a bias.

    Attributes:
      num_labels: classes.
      width: channels of the first layer; they double from layer to layer up to 512.
      layers: convolutions before the logits.
      scales: how many critics; they share nothing.
      dtype: of the convolutions; the statistics and the logits are float32.
    """

    num_labels: int
    width: int = 64
    layers: int = 3
    scales: int = 2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, labels: Array, image: Array, *, train: bool) -> tuple[tuple[Array, ...], ...]:
        """For each scale, fine to coarse, the activations of its layers and last its logits.

        Args:
          labels: [B,H,W] integers; one outside [0, num_labels) is no class.
          image: [B,H,W,3] in [0, 1].
          train: whether the spectral norm's vectors take a step.

        Returns:
          A tuple for each scale: [B,h,w,C] for each layer with h = floor(H/2) + 1 and so on, then the logits [B,h,w,1]
          float32, positive for real.

        Raises:
          ValueError: the shapes do not agree, or `labels` are not integers.
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
