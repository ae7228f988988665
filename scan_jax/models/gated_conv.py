"""The generator of gated convolutions (Yu et al. 2019, Fig. 3): a coarse network, and one that refines its filling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.gated_conv import GatedConv, SameConv
from scan_jax.ops.contextual_attention import contextual_attention
from scan_jax.ops.image import check_sides, complete, shrink_nearest

STRIDE = 8  # 4 of the networks, 2 of the attention


@dataclasses.dataclass(frozen=True)
class Step:
    """One gated convolution of an encoder."""

    widths: int  # channels of the convolution, features and gates together, in units of the network's width
    kernel_size: int = 3  # this and the next three as in `GatedConv`
    stride: int = 1
    dilation: int = 1
    activation: Callable[[Array], Array] = jax.nn.elu


DILATED = tuple(Step(4, dilation=rate) for rate in (2, 4, 8, 16))
COARSE = (Step(1, 5), Step(2, stride=2), Step(2), Step(4, stride=2), Step(4), Step(4), *DILATED)
FINE = (Step(1, 5), Step(1, stride=2), Step(2), Step(2, stride=2), Step(4), Step(4), *DILATED)
ATTENTIVE = (Step(1, 5), Step(1, stride=2), Step(2), Step(4, stride=2), Step(4), Step(4, activation=jax.nn.relu))

DECODER = (4, 4, 2, 2, 1, 0.5)  # widths, likewise; before the third and the fifth the map is doubled


class Encoder(nn.Module):
    """Gated convolutions down to a quarter of the size."""

    steps: tuple[Step, ...]  # the convolutions, called conv1, conv2, ...
    width: int  # the network's
    dtype: Any  # of the convolutions

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H/4,W/4,2*width]."""
        for number, step in enumerate(self.steps, start=1):
            conv = GatedConv(
                step.widths * self.width // 2,
                step.kernel_size,
                step.stride,
                step.dilation,
                self.dtype,
                step.activation,
                name=f"conv{number}",
            )
            x = conv(x)
        return x


class AttentiveBranch(nn.Module):
    """An encoder, contextual attention and two more gated convolutions."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, hole: Array) -> Array:
        """[B,H,W,3], [B,H,W,1] -> [B,H/4,W/4,2*width]."""
        x, hole = Encoder(ATTENTIVE, self.width, self.dtype, name="encoder")(x), shrink_nearest(hole, 4)
        self.sow("intermediates", "attention", {"x": x, "hole": hole})
        x = contextual_attention(x, hole)
        for name in ("conv9", "conv10"):
            x = GatedConv(2 * self.width, dtype=self.dtype, name=name)(x)
        return x


class Decoder(nn.Module):
    """Gated convolutions from a quarter of the size to an image."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,h,w,C] -> [B,4h,4w,3] float32 in [-1, 1]."""
        for number, widths in enumerate(DECODER, start=11):
            conv = GatedConv(
                int(widths * self.width) // 2, doubles=number in (13, 15), dtype=self.dtype, name=f"conv{number}"
            )
            x = conv(x)
        return jnp.tanh(SameConv(3, dtype=self.dtype, name="conv17")(x).astype(jnp.float32))


class GatedConvGenerator(nn.Module):
    """Both stages."""

    # Channels of the first convolutions, features and gates together; a multiple of 4. The paper's is 48.
    width: int = 48
    dtype: Any = jnp.float32  # of the convolutions and products

    @nn.compact
    def __call__(self, image: Array, known: Array) -> list[Array]:
        """The raw predictions of the two stages, [B,H,W,3] in [0, 1]; the second is the method's answer.

        From [B,H,W,3] in [0, 1], of which the hole is not read, and known [B,H,W,1]; H and W are multiples of 8.
        """
        check_sides(image, STRIDE)
        size = (self.width, self.dtype)
        hole, seen = 1 - known, (2 * image - 1) * known  # in [-1, 1], grey in the hole
        x = Encoder(COARSE, *size, name="coarse_encoder")(jnp.concatenate([seen, jnp.ones_like(hole), hole], axis=-1))
        coarse = Decoder(*size, name="coarse_decoder")(x)  # [B,H,W,3]
        filled = complete(seen, coarse, known)
        x = jnp.concatenate(
            [
                Encoder(FINE, *size, name="fine_encoder")(filled),
                AttentiveBranch(*size, name="attentive_branch")(filled, hole),
            ],
            axis=-1,
        )  # [B,H/4,W/4,4*width]
        fine = Decoder(*size, name="fine_decoder")(x)
        return [(stage + 1) / 2 for stage in (coarse, fine)]
