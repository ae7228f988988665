"""A prior: smooth fillings that need no training, and the small network that corrects one."""

from __future__ import annotations

import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, JoinedConv
from scan_jax.layers.residual import DilatedResidualBlock
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill

Filling = Literal["harmonic", "biharmonic", "both"]
HARMONIC_CYCLES, BIHARMONIC_CYCLES = 2, 4  # not to the end: a network corrects what they leave
FIRST_SHARE = 0.88  # of the biharmonic filling; learned from there


class Prior(nn.Module):
    """The harmonic filling, the biharmonic one, or a blend of both whose share is learned."""

    filling: Filling  # which

    @nn.compact
    def __call__(self, image: Array, known: Array) -> tuple[Array, Array]:
        """Fills the hole from known pixels alone.

        From the image [B,H,W,3] and known [B,H,W,1] to the filled image [B,H,W,3], and what else there is to see,
        [B,H,W,0 or 3]: with "both", how far the two equations are apart, which says where the hole is hard to guess.
        """
        image, known = image.astype(jnp.float32), known.astype(jnp.float32)
        if self.filling == "harmonic":
            filled = harmonic_fill(image, known, HARMONIC_CYCLES)
            return filled, filled[..., :0]
        filled = biharmonic_fill(image, known, BIHARMONIC_CYCLES)
        if self.filling == "biharmonic":
            return filled, filled[..., :0]
        apart = filled - harmonic_fill(image, known, HARMONIC_CYCLES)  # [B,H,W,3]
        share = self.param("share", nn.initializers.constant(math.log(FIRST_SHARE / (1 - FIRST_SHARE))), (1,))
        return filled - (1 - jax.nn.sigmoid(share))[None, None, None] * apart, apart


class Correction(nn.Module):
    """Convolutions at strides 1, 2 and 4, two dilated residual blocks there, and back."""

    width: int  # channels at stride 1; they double with every stride
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,3] float32, zero before anything was learned. H and W are multiples of 4."""
        maps = [x]
        for level in range(3):  # named as in the weights that there are; so below
            conv = Conv(
                2**level * self.width,
                stride=min(level + 1, 2),
                dtype=self.dtype,
                kernel_init=nn.initializers.he_normal(),
                name=f"Conv_{level}",
            )
            maps.append(jax.nn.leaky_relu(conv(maps[-1]), 0.2))
        _, fine, middle, x = maps  # [B,H,W,width], [B,H/2,W/2,2*width], [B,H/4,W/4,4*width]
        for _ in range(2):
            x = DilatedResidualBlock(dtype=self.dtype)(x)
        for beside, name in ((middle, "Conv_3"), (fine, "Conv_4")):
            x = jax.nn.leaky_relu(JoinedConv(beside.shape[-1], self.dtype, name=name)(x, beside), 0.2)
        rgb = Conv(3, dtype=self.dtype, kernel_init=nn.initializers.zeros, name="rgb")(x)
        return rgb.astype(jnp.float32)
