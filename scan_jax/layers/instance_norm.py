"""Instance normalisation without scale and shift (Ulyanov et al. 2016)."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from scan_jax.core.types import Array


class InstanceNorm(nn.Module):
    """Brings each channel of each sample to mean 0 and variance 1 over the map; no parameters, no running statistics.

    Attributes:
      epsilon: added to the variance.
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,H,W,C] -> [B,H,W,C] in the dtype of x; the statistics are float32. A constant channel becomes 0."""
        if x.ndim != 4:
            raise ValueError(f"instance normalisation needs [B,H,W,C], not {x.shape}")
        values = x.astype(jnp.float32)
        centred = values - jnp.mean(values, axis=(1, 2), keepdims=True)  # [B,H,W,C]
        variance = jnp.mean(jnp.square(centred), axis=(1, 2), keepdims=True)  # [B,1,1,C], biased
        return (centred * lax.rsqrt(variance + self.epsilon)).astype(x.dtype)
