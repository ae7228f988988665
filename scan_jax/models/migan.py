"""MI-GAN's generator, an encoder and a decoder of separable convolutions (Sargsyan et al. 2023), and its critic.

The generator is as published, for any size, where the constants of the released code fix one. Level l of a network is
its maps 2**l times as small as the image; the published networks for 256 pixels have 7 levels, those for 512 have 8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.convolution import convolve
from scan_jax.ops.depthwise import depthwise, double, halve
from scan_jax.ops.image import check_sides

Kernels = Literal["unit", "free"]
GAIN = 2**0.5  # of activations, that their scale is kept
CLAMP = 256.0
END = 4  # pixels a side of the critic's last map, where photographs are as large as the published ones

# A kernel of the released training is the sum of nine tensors, drawn alike, divided by 3: they all have one gradient,
# so under Adam they are one tensor at three times the learning rate, or, as lengths are divided out, a third as large.
_drawn = nn.initializers.normal(1 / 3)


def _same(x: Array) -> Array:
    return x


class MiganGenerator(nn.Module):
    """Halves the map by smoothed pixels and doubles it again; each level of the decoder adds to a picture."""

    width: int = 64  # channels at level 0; the published ones have 64 for 512 pixels and 128 for 256
    halvings: int = 7  # from level to level; 6 in the published network for 256 pixels
    max_channels: int = 512  # channels of any level
    noise: int = 512  # pixels a side of the noise at level 0; on larger maps it is repeated
    kernels: Kernels = "unit"  # each output's divided by its length, as in the released training, or as they are

    @nn.compact
    def __call__(self, image: Array, known: Array, *, train: bool) -> tuple[Array, ...]:
        """[B,H,W,3] in [0, 1], known [B,H,W,1] -> the picture [B,H/2^l,W/2^l,3] of each level l, the largest last.

        About in [0, 1]; the last one is the prediction. The hole is not read; H and W are multiples of 2**halvings.
        `train` draws new noise, by the key "noise"; else it is that of the variables.
        """
        check_sides(image, 2**self.halvings)
        widths = [min(2**level * self.width, self.max_channels) for level in range(self.halvings + 1)]
        seen = jnp.concatenate([known - 0.5, (2 * image - 1) * known], axis=-1)  # [B,H,W,4]
        x, skips = activate(Pointwise(widths[0], self.kernels, use_bias=True, name="from_image")(seen)), []
        for level, (width, below) in enumerate(zip(widths, [*widths[1:], widths[-1]])):
            x = Separable(width, self.kernels, name=f"encode{level}_first")(x)  # [B,H/2^level,W/2^level,width]
            skips.append(x)
            smaller = halve if level < self.halvings else _same
            x = Separable(below, self.kernels, before=smaller, name=f"encode{level}_second")(x)
        pictures: list[Array] = []
        for level in range(self.halvings, -1, -1):
            noise, larger = (max(self.noise // 2**level, 1), double) if pictures else (0, _same)
            separable = partial(Separable, widths[level], self.kernels, noise=noise)
            x = separable(after=larger, name=f"decode{level}_first")(x, train=train) + skips.pop()
            x = separable(name=f"decode{level}_second")(x, train=train)
            change = Pointwise(3, self.kernels, use_bias=True, name=f"to_image{level}")(x)
            pictures.append(double(pictures[-1]) + change if pictures else change)  # [B,H/2^level,W/2^level,3]
        return tuple(0.5 * picture + 0.5 for picture in pictures)


class Separable(nn.Module):
    """A 3x3 convolution within each channel and one of single pixels, with activations."""

    features: int  # output channels
    kernels: Kernels = "unit"
    before: Callable[[Array], Array] = _same  # what is done to the map between both
    after: Callable[[Array], Array] = _same  # and after the second
    noise: int = 0  # pixels a side of the noise that is added at the end; 0 for none
    gain: float = 1.0  # of both activations

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """[B,H,W,C] -> [B,h,w,features]; `train` draws the noise anew for every image, by the key "noise"."""
        channels = x.shape[-1]
        kernel = self.param("kernel", _drawn, (3, 3, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        kernel = unit(kernel) if self.kernels == "unit" else kernel
        x = self.before(activate(depthwise(x, kernel) + bias[None, None, None], self.gain))
        x = self.after(Pointwise(self.features, self.kernels, name="pointwise")(x))
        return activate(self._noisy(x, train) if self.noise else x, self.gain)

    def _noisy(self, x: Array, train: bool) -> Array:
        """The same number is added to all channels of a pixel; in a compact method."""
        batch, height, width, _ = x.shape
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        shape, draw = (self.noise, self.noise), nn.initializers.normal(1.0)
        tile = self.variable("noise", "tile", lambda: draw(self.make_rng("params"), shape)).value
        if train:
            return x + strength * jax.random.normal(self.make_rng("noise"), (batch, height, width, 1))
        times = -(-height // self.noise), -(-width // self.noise)
        return x + strength * jnp.tile(tile, times)[None, :height, :width, None]


class Pointwise(nn.Module):
    """A convolution of single pixels."""

    features: int  # output channels
    kernels: Kernels = "unit"
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,features]."""
        kernel = self.param("kernel", _drawn, (x.shape[-1], self.features))
        y = x @ (unit(kernel) if self.kernels == "unit" else kernel)
        if not self.use_bias:
            return y
        return y + self.param("bias", nn.initializers.zeros, (self.features,))[None, None, None]


def unit(kernel: Array) -> Array:
    """[..,O] with each output's numbers divided by their length."""
    squares = jnp.sum(jnp.square(kernel), axis=tuple(range(kernel.ndim - 1)))  # [O]
    return kernel * jnp.expand_dims(jax.lax.rsqrt(squares + 1e-8), range(kernel.ndim - 1))


def activate(x: Array, gain: float = 1.0) -> Array:
    """A leaky ReLU of slope 0.2, times `gain` and the square root of 2, within 256 times `gain`."""
    return jnp.clip(jax.nn.leaky_relu(x, 0.2) * (GAIN * gain), -CLAMP * gain, CLAMP * gain)


class MiganCritic(nn.Module):
    """StyleGAN2's residual discriminator of separable convolutions, as the released training has it.

    Where photographs are larger than the published ones it answers for every window of that size.
    """

    width: int = 64  # channels at level 0
    halvings: int = 7
    max_channels: int = 512  # channels of any level

    @nn.compact
    def __call__(self, seen: Array) -> Array:
        """What it sees, [B,H,W,4]: known - 0.5, the image in [-1, 1] -> logits [B,h,w,1], positive for real.

        h is H/2**halvings - 3. What an image is told depends on its batch: on how much it differs.
        """
        check_sides(seen, 2**self.halvings)
        x = activate(Pointwise(min(self.width, self.max_channels), use_bias=True, name="from_image")(seen))
        for level in range(self.halvings):
            width, below = (min(2**deep * self.width, self.max_channels) for deep in (level, level + 1))
            beside = Pointwise(below, name=f"skip{level}")(halve(x)) * 0.5**0.5
            x = Separable(width, name=f"first{level}")(x)
            x = beside + Separable(below, before=halve, gain=0.5**0.5, name=f"second{level}")(x)
        channels = x.shape[-1]
        x = Separable(channels, name="last")(jnp.concatenate([x, deviation(x)], axis=-1))
        x = activate(self._dense("dense", x, END, channels))  # [B,h,w,C]
        return self._dense("logits", x, 1, 1)

    def _dense(self, name: str, x: Array, side: int, features: int) -> Array:
        """All numbers of a window of so many pixels a side, of a kernel divided by the root of their count."""
        shape = (side, side, x.shape[-1], features)
        kernel = self.param(f"{name}_kernel", nn.initializers.normal(1.0), shape) * (side * side * x.shape[-1]) ** -0.5
        bias = self.param(f"{name}_bias", nn.initializers.zeros, (features,))
        return convolve(x, kernel, (0, 0)) + bias[None, None, None]


def deviation(x: Array) -> Array:
    """How much the images of a group differ, averaged over channels and pixels: [B,H,W,C] -> [B,H,W,1].

    A group has 4 images, or as many as divide the batch.
    """
    batch, height, width, channels = x.shape
    size = max(count for count in (1, 2, 3, 4) if batch % count == 0)
    groups = x.reshape(size, batch // size, height, width, channels)
    found = jnp.sqrt(jnp.var(groups, axis=0) + 1e-8).mean(axis=(1, 2, 3))  # [B/size]
    return jnp.broadcast_to(jnp.tile(found, size)[:, None, None, None], (batch, height, width, 1))
