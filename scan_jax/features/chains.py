"""Plain chains of convolutions in torchvision's layout, up to their last ReLU.

VGG-16 and VGG-19 (Simonyan & Zisserman 2015), five blocks of 3x3 convolutions; AlexNet (Krizhevsky 2014, the
one-column network), for LPIPS.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.common import check_request, max_pool
from scan_jax.ops.imagenet import normalize

DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions in each block
TITLES = {"vgg16": "VGG-16", "vgg19": "VGG-19"}
WIDTHS = (64, 128, 256, 512, 512)  # channels of the five blocks
# AlexNet's: layer -> (channels, kernel, stride, padding) of the convolution before it
ALEXNET = {
    "relu1": (64, 11, 4, 2),
    "relu2": (192, 5, 1, 2),
    "relu3": (384, 3, 1, 1),
    "relu4": (256, 3, 1, 1),
    "relu5": (256, 3, 1, 1),
}
POOLED = ("relu2", "relu3")  # these come after a pooling
ALEXNET_LAYERS = tuple(ALEXNET)
ALEXNET_SIDE = 7  # pixels, for one window of the first convolution


def layer_names(variant: str) -> tuple[str, ...]:
    """ "relu1_1", "relu1_2", "pool1", "relu2_1", ... of "vgg16" or "vgg19", up to the last ReLU."""
    blocks = [
        (*(f"relu{block}_{i}" for i in range(1, depth + 1)), f"pool{block}")
        for block, depth in enumerate(DEPTHS[variant], start=1)
    ]
    return tuple(name for block in blocks for name in block)[:-1]


class VGG(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters."""

    layers: tuple[str, ...]  # which of `layer_names(variant)`, in any order
    dtype: Any = jnp.float32  # of the convolutions and of what comes back; parameters stay float32
    variant: str = "vgg19"  # a key of `DEPTHS`

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> {"relu<b>_<i>": [B,H/2^(b-1),W/2^(b-1),C], "pool<b>": [B,H/2^b,W/2^b,C]}.

        Halved heights are rounded down.
        """
        names = layer_names(self.variant)
        check_request(TITLES[self.variant], image, self.layers, names)
        x = normalize(image).astype(self.dtype)
        found: dict[str, Array] = {}
        for name in names:
            if len(found) == len(set(self.layers)):
                break
            x = max_pool(x, 2) if name.startswith("pool") else self._convolve(x, name.removeprefix("relu"))
            if name in self.layers:
                found[name] = x
        return found

    def _convolve(self, x: Array, place: str) -> Array:
        """The convolution "<block>_<i>" and its ReLU."""
        width = WIDTHS[int(place.partition("_")[0]) - 1]
        padding = ((1, 1), (1, 1))
        return jax.nn.relu(nn.Conv(width, (3, 3), padding=padding, dtype=self.dtype, name=f"conv{place}")(x))


class AlexNet(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters."""

    layers: tuple[str, ...]  # which of `ALEXNET_LAYERS`, in any order
    dtype: Any = jnp.float32  # of the convolutions and of what comes back; parameters stay float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> {"relu1": [B,(H-7)//4+1,(W-7)//4+1,64], "relu2": [B,h,w,192], ...}."""
        check_request("AlexNet", image, self.layers, ALEXNET_LAYERS, ALEXNET_SIDE)
        x = normalize(image).astype(self.dtype)
        found: dict[str, Array] = {}
        for name, (width, size, stride, pad) in ALEXNET.items():
            if len(found) == len(set(self.layers)):
                break
            x = max_pool(x, 3) if name in POOLED else x
            convolution = nn.Conv(
                width,
                (size, size),
                strides=(stride, stride),
                padding=((pad, pad), (pad, pad)),
                dtype=self.dtype,
                name=name.replace("relu", "conv"),
            )
            x = jax.nn.relu(convolution(x))  # [B,h,w,width]
            if name in self.layers:
                found[name] = x
        return found
