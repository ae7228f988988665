"""EdgeConnect (Nazeri et al. 2019, section 3): edges in the hole first, then colours between the edges."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import Conv, Kernels, convolved, doubled
from scan_jax.layers.normalization import InstanceNorm
from scan_jax.layers.residual import ReflectedResidualBlock, reflect
from scan_jax.ops.image import check_sides, complete, luma

STRIDE = 16  # the maps' is 4; of those at a quarter, four pixels are what a reflection by two is sure to find
_FAR = 3  # the reach of the outer 7x7 kernels
START = nn.initializers.normal(0.02)


class ImageTransform(nn.Module):
    """To a quarter, dilated residual blocks, and back (after Johnson et al. 2016)."""

    features: int  # output channels
    width: int = 64  # channels at stride 1; 2 and 4 times as many at strides 2 and 4
    blocks: int = 8  # residual ones at stride 4
    kernels: Kernels = "free"  # of all convolutions but the last, which is free
    dtype: Any = jnp.float32  # of the convolutions

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,features] float32, without an activation; H and W are multiples of 16."""
        check_sides(x, STRIDE)
        given: dict[str, Any] = {"dtype": self.dtype, "kernel_init": START}
        conv: Any = partial(convolved, kernels=self.kernels, train=train, **given)
        up: Any = partial(doubled, kernels=self.kernels, train=train, **given)
        y = conv(reflect(x, _FAR), features=self.width, kernel_size=7, stride=1, padding=0, name="in")
        y = _activate(y)  # [B,H,W,width]
        for depth in (1, 2):  # [B,H/2,W/2,2*width], [B,H/4,W/4,4*width]
            features = self.width * 2**depth
            y = _activate(conv(y, features=features, kernel_size=4, stride=2, padding=1, name=f"down{depth}"))
        for index in range(self.blocks):
            y = ReflectedResidualBlock(self.kernels, name=f"block{index}", **given)(y, train=train)
        for depth in (1, 0):  # [B,H/2,W/2,2*width], [B,H,W,width]
            y = _activate(up(y, features=self.width * 2**depth, name=f"up{depth}"))
        out = Conv(self.features, 7, padding=0, name="out", **given)
        return out(reflect(y, _FAR)).astype(jnp.float32)


def _activate(x: Array) -> Array:
    """Instance normalisation and ReLU."""
    return jax.nn.relu(InstanceNorm()(x))


class EdgeConnectGenerator(nn.Module):
    """Both generators: `edge` draws edges into the hole, `completion` paints between the edges."""

    width: int = 64  # channels of both at stride 1; the paper's setting is 64
    blocks: int = 8  # residual ones in each; the paper's setting is 8
    dtype: Any = jnp.float32  # of the convolutions

    def setup(self) -> None:
        """Makes both."""
        self.edge = ImageTransform(1, self.width, self.blocks, "spectral", self.dtype)
        self.completion = ImageTransform(3, self.width, self.blocks, "free", self.dtype)

    def __call__(self, image: Array, edges: Array, known: Array, *, train: bool) -> tuple[Array, Array]:
        """The raw prediction [B,H,W,3] in [0, 1], and the edges [B,H,W,1] that it was painted between.

        From the image [B,H,W,3] in [0, 1], of which the hole is not read, the edges of what is known [B,H,W,1], and
        known [B,H,W,1]. With `train` the spectral norm takes a step.
        """
        all_edges = complete(edges, self.draw(luma(image), edges, known, train=train), known)
        return self.paint(image, all_edges, known), all_edges

    def draw(self, gray: Array, edges: Array, known: Array, *, train: bool) -> Array:
        """How likely an edge is, everywhere: two [B,H,W,1] and known -> [B,H,W,1] in [0, 1]."""
        hole = 1 - known
        seen = jnp.concatenate([gray * known + hole, edges * known, hole], axis=-1)  # [B,H,W,3]
        return jax.nn.sigmoid(self.edge(seen, train=train))

    def paint(self, image: Array, edges: Array, known: Array) -> Array:
        """Colours everywhere, by edges everywhere: [B,H,W,3], [B,H,W,1], known -> [B,H,W,3] in [0, 1]."""
        seen = jnp.concatenate([image * known + (1 - known), edges], axis=-1)  # [B,H,W,4]
        return (jnp.tanh(self.completion(seen, train=False)) + 1) / 2  # no kernel of it is normalised
