"""SN-PatchGAN (Yu et al. 2019, section 3.3): a spectrally normalised critic whose every feature is a judgement."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.ops.same_convolution import convolve_same

SIZE, STRIDE = 5, 2
WIDTHS = (1, 2, 4, 4, 4, 4)  # of its convolutions, in units of `width`


class SameSpectralConv(SpectralConv):
    """A spectrally normalised convolution that is padded as TensorFlow does; `padding` is not used."""

    def _convolve(self, x: Array, kernel: Array) -> Array:
        """[B,H,W,C], [k,k,C,features] -> [B,ceil(H/stride),ceil(W/stride),features]."""
        return convolve_same(x, kernel, stride=self.stride)


class SnPatchGan(nn.Module):
    """Six convolutions of kernel 5 and stride 2 with LeakyReLU 0.2, after the last one, too.

    Attributes:
      width: channels of the first level; the paper's setting is 64.
      dtype: of the convolutions; the logits come back in float32.
    """

    width: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> Array:
        """Judges every patch of an image by every feature.

        Args:
          image: [B,H,W,3] in [0, 1], a photograph or a completion.
          known: [B,H,W,1], where the hole is or would have been.
          train: whether the spectral norm takes a step.

        Returns:
          [B,ceil(H/64),ceil(W/64),4*width], positive for real.
        """
        x = jnp.concatenate([2 * image - 1, 1 - known], axis=-1)  # [B,H,W,4]
        for number, widths in enumerate(WIDTHS, start=1):
            conv = SameSpectralConv(widths * self.width, SIZE, STRIDE, dtype=self.dtype, name=f"conv{number}")
            x = jax.nn.leaky_relu(conv(x, train=train), 0.2)  # [B,ceil(H/2^number),...]
        return x.astype(jnp.float32)
