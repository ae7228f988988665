"""The SCAN generator (section 3.3): two encoders, one shared decoder with spatial and channel attention norms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.bounds import Blur, Repeats, Size
from scan_jax.core.types import Array
from scan_jax.layers.attention_norm import ChannelAttentionNorm, SpatialAttentionNorm
from scan_jax.layers.conv import Conv, JoinedConv
from scan_jax.layers.partial_conv import PartialConv
from scan_jax.layers.prior import Prior
from scan_jax.layers.residual import DilatedResidualBlock
from scan_jax.ops.convolution import update_known
from scan_jax.ops.image import check_sides, complete, high_frequency, sobel_gradient

STRIDE = 8
SOBEL_SCALE = 8  # the operator's answer to a slope of 1 per pixel
STAGE_KERNELS = ((7, 5, 5, 5), (5, 3, 3, 3))  # of enc1 and enc2: the second stage looks closer


@dataclasses.dataclass(frozen=True)
class GeneratorSettings:
    """What the generator is; the defaults are the paper's setting."""

    width: Size = 64  # channels at stride 1
    regions: Size = 16  # n of SAN and CAN
    stages: Literal[1, 2] = 2  # 1 stops at the rough image
    blocks: Repeats = 4  # dilated residual blocks in each encoder
    # Which of "spatial" (SAN) and "channel" (CAN) the decoder has.
    attention: tuple[Literal["spatial", "channel"], ...] = ("spatial", "channel")
    statistics: Literal["weighted", "product"] = "weighted"  # "weighted" or "product", the reading of eq. (3)
    kernels: Literal["unit", "raw"] = "unit"  # "unit" or "raw" sampled patches
    scale: Literal["mean", "sum"] = "mean"  # "mean" or "sum", of CAN's correlations
    sigma: Blur = 2.0  # of the blur under the high-frequency residual, in pixels
    # What fills the hole before any network: "none" (the paper), "harmonic", "biharmonic", or "both", blended. The
    # networks see that filling and correct it, so that one which has learned nothing equals its prior.
    prior: Literal["none", "harmonic", "biharmonic", "both"] = "none"
    # With both, the share of the biharmonic filling: "one" learned number, or the network's own choice at each "pixel".
    share: Literal["one", "pixel"] = "one"
    # "float32" or "bfloat16", of convolutions and products; all else is float32.
    compute_dtype: Literal["float32", "bfloat16"] = "float32"

    @property
    def dtype(self) -> Any:
        """Of convolutions and products."""
        return jnp.dtype(self.compute_dtype)


class Encoder(nn.Module):
    """Four partial convolutions at strides 1,2,4,8, then dilated residual blocks at stride 8."""

    settings: GeneratorSettings  # the generator's
    kernels: Sequence[int]  # the four kernel sizes

    @nn.compact
    def __call__(self, x: Array, valid: Array | None, known: Array) -> tuple[list[Array], list[Array]]:
        """Features [B,H/s,W/s,width*s] and known [B,H/s,W/s,1] at s = 1,2,4,8, of x [B,H,W,7], or 10 with both priors.

        `valid` [B,H,W,1] is 1 where x may be read: the known pixels; None once the hole has been filled roughly.
        `known` [B,H,W,1] is 1 where x is the photograph's.
        """
        features, knowns = [], []
        for depth, size in enumerate(self.kernels):
            stride = 1 if depth == 0 else 2
            x, valid = PartialConv(self.settings.width * 2**depth, size, stride, dtype=self.settings.dtype)(x, valid)
            x = jax.nn.leaky_relu(x, 0.2)
            known = update_known(known, size, stride)
            features.append(x)
            knowns.append(known)
        for _ in range(self.settings.blocks):
            x = DilatedResidualBlock(dtype=self.settings.dtype)(x)
        return [*features[:-1], x], knowns


class Decoder(nn.Module):
    """Three times: up, join the encoder's level, convolve, SAN, CAN; then to RGB. Both stages call the same one.

    With a prior the output is added to its filling in the hole: it begins at zero, and is bounded by nothing. With a
    share by pixel it has a fourth channel, which says how much more of the biharmonic filling there shall be.
    """

    settings: GeneratorSettings  # the generator's

    @nn.compact
    def __call__(self, features: Sequence[Array], knowns: Sequence[Array], keys: Array) -> Array:
        """Features and known at s = 1,2,4,8, [B] keys -> [B,H,W,3 or 4], in [0, 1] without a prior."""
        settings, corrects = self.settings, self.settings.prior != "none"
        shared, x = (settings.regions, settings.statistics), features[-1]
        for depth in (2, 1, 0):
            x = JoinedConv(settings.width * 2**depth, settings.dtype, name=f"join{depth}")(x, features[depth])
            if "spatial" in settings.attention:
                san = SpatialAttentionNorm(*shared, settings.kernels, name=f"spatial{depth}")
                level_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, depth)
                x = san(x, features[depth], knowns[depth], level_keys)
            if "channel" in settings.attention:
                x = ChannelAttentionNorm(*shared, settings.scale, name=f"channel{depth}")(x)
            x = jax.nn.leaky_relu(x, 0.2)  # [B,H/2^depth,W/2^depth,width*2^depth]
        init = nn.initializers.zeros if corrects else nn.initializers.lecun_normal()
        rgb = Conv(3, dtype=settings.dtype, kernel_init=init, name="rgb")(x).astype(jnp.float32)
        if not corrects:
            return jax.nn.sigmoid(rgb)
        if settings.share == "one":
            return rgb
        share = Conv(1, dtype=settings.dtype, kernel_init=init, name="share")(x)
        return jnp.concatenate([rgb, share.astype(jnp.float32)], axis=-1)


class ScanGenerator(nn.Module):
    """G1 = enc1 + dec makes a rough image, G2 = enc2 + the same dec a fine one."""

    settings: GeneratorSettings  # what it is

    @nn.compact
    def __call__(self, image: Array, known: Array, keys: Array) -> list[Array]:
        """One raw prediction [B,H,W,3] a stage, the last being the method's answer.

        It is in [0, 1], or with a prior a little beyond where its correction goes too far. The image [B,H,W,3] is in
        [0, 1], zero in the hole, H and W multiples of 8; known is [B,H,W,1]; of the random keys [B], one a sample, come
        the patches of SAN.
        """
        check_sides(image, STRIDE)
        settings = self.settings
        decode = Decoder(settings, name="dec")
        guides = (
            sobel_gradient(image, known) / SOBEL_SCALE,
            high_frequency(image, known, settings.sigma),
        )  # G^, H^ [B,H,W,3]
        predictions: list[Array] = []
        seen: Array = image  # I^, then I^ + I_rough * (1 - M), where nothing is missing any more
        valid: Array | None = known
        others, filled = [known], None
        if settings.prior != "none":
            filled, apart = Prior(settings.prior, name="prior")(image, known)
            self.sow("intermediates", "filled_by_prior", filled)
            seen, valid, others = filled, None, [known, apart]
        for stage in range(settings.stages):
            encode = Encoder(settings, STAGE_KERNELS[stage], name=f"enc{stage + 1}")
            features, knowns = encode(jnp.concatenate([seen, guides[stage], *others], axis=-1), valid, known)
            stage_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, stage)
            decoded = decode(features, knowns, stage_keys)
            if settings.share == "pixel":
                decoded = decoded[..., :3] + decoded[..., 3:] * others[-1]  # others[-1]: biharmonic less harmonic
            predictions.append(decoded if filled is None else filled + (1 - known) * decoded)
            seen, valid = complete(image, predictions[-1], known), None
        return predictions
