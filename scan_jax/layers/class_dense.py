"""A dense layer of its own for every class."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.layers.initializers import small_xavier_per_class


class ClassDense(nn.Module):
    """y[b, n] = x[b, n] @ kernel[n] + bias[n].

    Attributes:
      features: outputs.
      dtype: of the product.
    """

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[B,N,S] -> [B,N,features]."""
        if x.ndim != 3:
            raise ValueError(f"a dense layer per class needs [B,classes,size], not {x.shape}")
        _, classes, size = x.shape
        kernel = self.param("kernel", small_xavier_per_class, (classes, size, self.features))
        bias = self.param("bias", nn.initializers.zeros, (classes, self.features))
        by_class = x.astype(self.dtype).transpose(1, 0, 2)  # [N,B,S]: classes first is several times faster on a CPU
        y = jnp.einsum("nbs,nsf->nbf", by_class, kernel.astype(self.dtype)).transpose(1, 0, 2)  # [B,N,F]
        return y + bias.astype(self.dtype)[None]
