"""Batch normalisation (Ioffe and Szegedy 2015) with PyTorch's running averages, and instance normalisation."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array


class AffineBatchNorm(nn.Module):
    """`BatchNorm`, then a learned scale and shift for each channel.

    Frozen statistics are `train=False` in training: the running ones are used and stay, scale and shift still learn.
    """

    momentum: float = 0.1  # share of the new statistics in the running ones
    epsilon: float = 1e-5  # added to the variance

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C] float32."""
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        y = BatchNorm(self.momentum, self.epsilon, name="norm")(x, train=train)
        return y * scale[None, None, None] + bias[None, None, None]


class BatchNorm(nn.Module):
    """Brings each channel to mean 0 and variance 1, without scale and shift.

    Training takes the statistics of the whole batch, on however many devices it lies, and moves the running ones in
    the collection "batch_stats"; evaluation takes the running ones, so that an image's answer is its own.
    """

    momentum: float = 0.1  # share of the new statistics in the running ones
    epsilon: float = 1e-5  # added to the variance

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H,W,C] float32."""
        if x.ndim != 4:
            raise ValueError(f"batch normalisation needs [B,H,W,C], not {x.shape}")
        x = x.astype(jnp.float32)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        running_variance = self.variable("batch_stats", "variance", jnp.ones, x.shape[-1:])
        if not train:
            scale = jax.lax.rsqrt(running_variance.value + self.epsilon)  # [C]
            return (x - running_mean.value[None, None, None]) * scale[None, None, None]
        mean = jnp.mean(x, axis=(0, 1, 2))  # [C]
        centred = x - mean[None, None, None]
        variance = jnp.mean(jnp.square(centred), axis=(0, 1, 2))  # [C], biased
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            count = x.size // x.shape[-1]
            unbiased = variance * (count / max(count - 1, 1))
            running_mean.value += self.momentum * (jax.lax.stop_gradient(mean) - running_mean.value)
            running_variance.value += self.momentum * (jax.lax.stop_gradient(unbiased) - running_variance.value)
        return centred * jax.lax.rsqrt(variance + self.epsilon)[None, None, None]


class InstanceNorm(nn.Module):
    """Brings each channel of each sample to mean 0 and variance 1 over the map; without parameters or averages."""

    epsilon: float = 1e-5  # added to the variance

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,C] in the dtype of x; the statistics are float32. A constant channel becomes 0."""
        if x.ndim != 4:
            raise ValueError(f"instance normalisation needs [B,H,W,C], not {x.shape}")
        values = x.astype(jnp.float32)
        centred = values - jnp.mean(values, axis=(1, 2), keepdims=True)  # [B,H,W,C]
        variance = jnp.mean(jnp.square(centred), axis=(1, 2), keepdims=True)  # [B,1,1,C], biased
        return (centred * jax.lax.rsqrt(variance + self.epsilon)).astype(x.dtype)
