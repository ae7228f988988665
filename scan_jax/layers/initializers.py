"""How SEAN's layers start: Xavier normal with a gain of 0.02, biases zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax.linen import initializers

from scan_jax.core.types import Array

_GAIN = 0.02

small_xavier = initializers.variance_scaling(_GAIN**2, "fan_avg", "normal")
small_xavier_per_class = initializers.variance_scaling(_GAIN**2, "fan_avg", "normal", batch_axis=(0,))


def small_xavier_pair(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """Two kernels side by side along the last axis, each drawn for its own number of outputs."""
    half = (*shape[:-1], shape[-1] // 2)
    return jnp.concatenate([small_xavier(part, half, dtype) for part in jax.random.split(key)], axis=-1)
