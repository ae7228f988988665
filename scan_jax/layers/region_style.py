"""SEAN's normalisation block ACE (Zhu et al. 2020, section 3): a scale and a shift from each region's style.

The style branch never builds its map of style_size channels: the convolution is linear and the map is constant over a
class, so the kernel meets the class styles first, and what is left is a sum of rows that the labels choose (see
`ops.convolution.convolve_labels`). Each branch's share of the blend is folded into its kernel or its rows, and scale
and shift come out of one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.conv import SMALL, small_xavier
from scan_jax.layers.normalization import BatchNorm
from scan_jax.ops.convolution import convolve, convolve_labels


class RegionStyleNorm(nn.Module):
    """ACE: noise, batch normalisation, then `x * (1 + gamma) + beta` with gamma and beta blended from both branches."""

    num_labels: int  # classes N; a pixel whose label is none of them has no style and no label
    hidden: int = 128  # channels inside the label branch
    dtype: Any = jnp.float32  # of the products and the output; noise, statistics and modulation are float32

    @nn.compact
    def __call__(self, x: Array, labels: Array, styles: Array | None, keys: Array | None, *, train: bool) -> Array:
        """Modulates a map: x [B,H,W,C] and labels [B,H,W] -> [B,H,W,C] in `dtype`; other shapes are a ValueError.

        Without styles [B,N,S] the layer has the label branch alone; without random keys [B], one a sample, there is no
        noise. `train` takes the batch's statistics.
        """
        if x.ndim != 4 or labels.shape != x.shape[:3]:
            raise ValueError(f"x must be [B,H,W,C] and labels [B,H,W], not {x.shape} and {labels.shape}")
        if styles is not None and (styles.ndim != 3 or styles.shape[:2] != (x.shape[0], self.num_labels)):
            raise ValueError(f"styles must be [{x.shape[0]},{self.num_labels},S], not {styles.shape}")
        normalized = BatchNorm(name="norm")(self._add_noise(x.astype(jnp.float32), keys), train=train)  # [B,H,W,C]
        gamma, beta = jnp.split(self._modulation(labels, styles, x.shape[-1]).astype(jnp.float32), 2, axis=-1)
        return (normalized * (1 + gamma) + beta).astype(self.dtype)

    def _add_noise(self, x: Array, keys: Array | None) -> Array:
        """Adds one normal number a pixel, times a learned weight a channel."""
        scale = self.param("noise_scale", nn.initializers.zeros, x.shape[-1:])  # [C]
        if keys is None:
            return x
        noise = jax.vmap(lambda key: jax.random.normal(key, (*x.shape[1:3], 1)))(keys)  # [B,H,W,1]
        return x + noise * scale[None, None, None]

    def _modulation(self, labels: Array, styles: Array | None, features: int) -> Array:
        """Gamma and beta, [B,H,W,2C]."""
        by_label = LabelBranch(features, self.num_labels, self.hidden, self.dtype, name="label")
        if styles is None:
            return by_label(labels, jnp.ones(2 * features))
        blend = self.param("blend", nn.initializers.zeros, (2,))  # one for gamma, one for beta
        share = jnp.repeat(jax.nn.sigmoid(blend), features)  # [2C], the style's
        by_style = StyleBranch(features, self.dtype, name="style")(styles, labels, share)
        return by_style + by_label(labels, 1 - share)


class StyleBranch(nn.Module):
    """Scale and shift from the styles: a dense layer per class, ReLU, spread over the class's pixels, conv3x3."""

    features: int  # channels C of the map that is modulated
    dtype: Any = jnp.float32  # of the products

    @nn.compact
    def __call__(self, styles: Array, labels: Array, share: Array) -> Array:
        """This branch's `share` [2C] of the blend, times gamma and beta: [B,N,S], labels [B,H,W] -> [B,H,W,2C]."""
        batch, classes, size = styles.shape
        kernel = self.param("kernel", small_xavier_pair, (3, 3, size, 2 * self.features))
        bias = self.param("bias", nn.initializers.zeros, (2 * self.features,))
        hidden = jax.nn.relu(ClassDense(size, self.dtype, name="dense")(styles))  # [B,N,S]
        # One product a tap: a single one over all taps would first transpose the whole kernel.
        rows = jnp.broadcast_to(hidden.reshape(1, batch * classes, size), (9, batch * classes, size))
        table = jnp.einsum("trs,tsc->trc", rows, kernel.astype(self.dtype).reshape(9, size, -1))  # [9,B*N,2C]
        table = (table * share[None, None]).astype(self.dtype).reshape(9, batch, classes, -1)
        kernels = table.transpose(1, 0, 2, 3).reshape(batch, 3, 3, classes, -1)  # [B,3,3,N,2C]
        return convolve_labels(labels, kernels, bias * share)


class ClassDense(nn.Module):
    """A dense layer for each class: y[b, n] = x[b, n] @ kernel[n] + bias[n]."""

    features: int  # outputs
    dtype: Any = jnp.float32  # of the product

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,N,S] -> [B,N,features]."""
        if x.ndim != 3:
            raise ValueError(f"a dense layer per class needs [B,classes,size], not {x.shape}")
        _, classes, size = x.shape
        init = nn.initializers.variance_scaling(SMALL, "fan_avg", "normal", batch_axis=(0,))
        kernel = self.param("kernel", init, (classes, size, self.features))
        bias = self.param("bias", nn.initializers.zeros, (classes, self.features))
        by_class = x.astype(self.dtype).transpose(1, 0, 2)  # [N,B,S]: classes first is several times faster on a CPU
        y = jnp.einsum("nbs,nsf->nbf", by_class, kernel.astype(self.dtype)).transpose(1, 0, 2)  # [B,N,F]
        return y + bias.astype(self.dtype)[None]


class LabelBranch(nn.Module):
    """Scale and shift from the label map alone (SPADE, Park et al. 2019): conv3x3, ReLU, conv3x3."""

    features: int  # channels C of the map that is modulated
    num_labels: int  # classes N
    hidden: int = 128  # channels in between
    dtype: Any = jnp.float32  # of the products

    @nn.compact
    def __call__(self, labels: Array, share: Array) -> Array:
        """[B,H,W], share [2C] -> share times gamma and beta, [B,H,W,2C]."""
        first = self.param("hidden_kernel", small_xavier, (3, 3, self.num_labels, self.hidden))
        first_bias = self.param("hidden_bias", nn.initializers.zeros, (self.hidden,))
        kernel = self.param("kernel", small_xavier_pair, (3, 3, self.hidden, 2 * self.features))
        bias = self.param("bias", nn.initializers.zeros, (2 * self.features,))
        shared = jnp.broadcast_to(first.astype(self.dtype), (labels.shape[0], *first.shape))  # [B,3,3,N,hidden]
        hidden = convolve_labels(labels, shared, first_bias)  # [B,H,W,hidden]
        scaled = (kernel * share[None, None, None]).astype(self.dtype)
        y = convolve(jax.nn.relu(hidden), scaled, (1, 1))  # [B,H,W,2C]
        return y + (bias * share).astype(self.dtype)[None, None, None]


def small_xavier_pair(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """Two kernels side by side along the last axis, each drawn for its own number of outputs."""
    half = (*shape[:-1], shape[-1] // 2)
    return jnp.concatenate([small_xavier(part, half, dtype) for part in jax.random.split(key)], axis=-1)
