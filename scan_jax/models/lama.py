"""LaMa's generator, residual blocks of fast Fourier convolutions (Suvorov et al. 2022), and its critic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from scan_jax.core.device import sharing
from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, ConvTranspose3, torch_uniform_transposed
from scan_jax.layers.normalization import AffineBatchNorm
from scan_jax.layers.residual import reflect
from scan_jax.ops.image import check_sides

HALVINGS = 3
STRIDE = 2**HALVINGS
GLOBAL = 3  # quarters of a residual block's channels that see the whole map

Pair = tuple[Array, Array]  # the local channels and the global ones


class LamaGenerator(nn.Module):
    """Halves the map three times, fills it by fast Fourier convolutions, and doubles it as often."""

    width: int = 64  # channels at stride 1; the published width is 64
    blocks: int = 18  # residual ones at stride 8; 9 in LaMa-Fourier, 18 in Big-LaMa
    dtype: Any = jnp.float32  # of convolutions outside the Fourier transform

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> Array:
        """[B,H,W,3] in [0, 1], known [B,H,W,1] -> [B,H,W,3] float32 in [0, 1].

        The hole is not read; H and W are multiples of 8, from 16 on. `train` normalises by the batch's statistics.
        """
        check_sides(image, STRIDE)
        conv, norm = partial(Conv, padding=0, dtype=self.dtype), partial(_norm_relu, train=train)
        x = jnp.concatenate([image * known, 1 - known], axis=-1)  # [B,H,W,4]
        x = norm(conv(self.width, 7, use_bias=False, name="in")(reflect(x, 3)), "in_norm")  # [B,H,W,width]
        for level in range(1, HALVINGS + 1):
            halve = conv(2**level * self.width, 3, 2, use_bias=False, name=f"down{level}")
            x = halve(reflect(x, 1))  # [B,H/2^level,W/2^level,2^level*width]
            if level < HALVINGS:
                x = norm(x, f"down{level}_norm")
        channels = x.shape[-1]
        pair = _norm_relu_both(_split(x), f"down{HALVINGS}_norm", train=train)
        for index in range(self.blocks):
            pair = FourierResidualBlock(channels, self.dtype, name=f"block{index}")(pair, train=train)
        x = jnp.concatenate(pair, axis=-1)  # [B,H/8,W/8,8*width]
        for level in range(HALVINGS - 1, -1, -1):
            doubled = ConvTranspose3(
                2**level * self.width, dtype=self.dtype, kernel_init=torch_uniform_transposed, name=f"up{level}"
            )
            x = norm(doubled(x), f"up{level}_norm")  # [B,H/2^level,W/2^level,2^level*width]
        return jax.nn.sigmoid(conv(3, 7, name="out")(reflect(x, 3)).astype(jnp.float32))


class FourierResidualBlock(nn.Module):
    """Two fast Fourier convolutions, each with normalisation and ReLU, added to what came in."""

    channels: int  # local and global ones together
    dtype: Any = jnp.float32  # of convolutions outside the Fourier transform

    @nn.compact
    def __call__(self, pair: Pair, *, train: bool) -> Pair:
        """[B,h,w,C/4] and [B,h,w,3*C/4] -> the same."""
        found = pair
        for name in ("first", "second"):
            found = FourierConv(self.channels, self.dtype, name=name)(found, train=train)
            found = _norm_relu_both(found, f"{name}_norm", train=train)
        return pair[0] + found[0], pair[1] + found[1]


class FourierConv(nn.Module):
    """A fast Fourier convolution (Chi et al. 2020): 3x3 to and from the local channels, spectral among the global."""

    channels: int  # local and global ones together, in and out
    dtype: Any = jnp.float32  # of convolutions outside the Fourier transform

    @nn.compact
    def __call__(self, pair: Pair, *, train: bool) -> Pair:
        """[B,h,w,C/4] and [B,h,w,3*C/4] -> the same."""
        local, whole = pair
        conv = partial(Conv, padding=0, use_bias=False, dtype=self.dtype)
        of_local = _split(conv(self.channels, name="from_local")(reflect(local, 1)))
        to_local = conv(local.shape[-1], name="to_local")(reflect(whole, 1))  # [B,h,w,C/4]
        to_whole = SpectralTransform(self.dtype, name="spectral")(whole, train=train)  # [B,h,w,3*C/4]
        return of_local[0] + to_local, of_local[1] + to_whole


class SpectralTransform(nn.Module):
    """1x1 convolutions around one of the map's frequencies, at half the channels."""

    dtype: Any = jnp.float32  # of convolutions outside the Fourier transform

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,h,w,C] -> [B,h,w,C]."""
        channels, columns = x.shape[-1], x.shape[2]
        conv = partial(Conv, kernel_size=1, padding=0, use_bias=False)
        x = conv(channels // 2, dtype=self.dtype, name="narrow")(x)
        x = _norm_relu(x, "narrow_norm", train=train)  # [B,h,w,C/2] float32
        waves = _where_they_lie(partial(jnp.fft.rfft2, axes=(1, 2), norm="ortho"), x)  # [B,h,w//2+1,C/2]
        parts = jnp.concatenate([waves.real, waves.imag], axis=-1)  # [B,h,w//2+1,C]
        parts = _norm_relu(conv(parts.shape[-1], name="waves")(parts), "waves_norm", train=train)
        waves = jax.lax.complex(*jnp.split(parts, 2, axis=-1))
        y = _where_they_lie(partial(_from_waves, columns=columns), waves)  # [B,h,w,C/2]
        return conv(channels, dtype=self.dtype, name="widen")(x + y)


def _from_waves(waves: Array, columns: int) -> Array:
    """[B,h,w//2+1,C] -> [B,h,columns,C]."""
    # One axis after the other: what no real map has as its frequencies is then read alike on all devices.
    return jnp.fft.irfft(jnp.fft.ifft(waves, axis=1, norm="ortho"), columns, axis=2, norm="ortho")


def _where_they_lie(transform: Callable[[Array], Array], x: Array) -> Array:
    """A Fourier transform of each photograph's map [B,...] on the device that has it, in a step that several share.

    By itself XLA brings the whole batch to each device (on CPUs, jax 0.10.2; not in 0.12.0.1), and computes all of it.
    """
    if sharing(x.shape[0]) == 1:
        return transform(x)
    batch = PartitionSpec(jax.sharding.get_abstract_mesh().axis_names)
    return jax.shard_map(transform, in_specs=batch, out_specs=batch)(x)


def _split(x: Array) -> Pair:
    """The local and the global ones."""
    local = x.shape[-1] - x.shape[-1] * GLOBAL // 4
    return x[..., :local], x[..., local:]


def _norm_relu(x: Array, name: str, *, train: bool) -> Array:
    """In a compact method."""
    return jax.nn.relu(AffineBatchNorm(name=name)(x, train=train))


def _norm_relu_both(pair: Pair, name: str, *, train: bool) -> Pair:
    """In a compact method."""
    local, whole = (_norm_relu(part, f"{name}_{kind}", train=train) for part, kind in zip(pair, ("local", "global")))
    return local, whole


class LamaCritic(nn.Module):
    """pix2pixHD's patch discriminator, normalised by the batch it sees.

    Kernels 4, padding 2, strides 2,2,2,2,1,1, widths w,2w,4w,8w,8w,1.
    """

    width: int = 64  # w; the published setting is 64
    layers: int = 4  # of stride 2

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> tuple[Array, ...]:
        """[B,H,W,3] in [0, 1] -> what each layer answers, the logits [B,h,w,1] last, positive for real."""
        x, found = image, []
        for depth in range(self.layers + 1):
            stride = 2 if depth < self.layers else 1
            x = Conv(min(2**depth, 8) * self.width, 4, stride, padding=2, name=f"conv{depth}")(x)
            x = AffineBatchNorm(name=f"norm{depth}")(x, train=train) if depth else x
            x = jax.nn.leaky_relu(x, 0.2)  # [B,H/2^(depth+1)+1,...]
            found.append(x)
        return (*found, Conv(1, 4, padding=2, name="logits")(x))
