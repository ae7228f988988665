"""Convolutions whose kernels are free, or divided by their largest singular value, by one name."""

from __future__ import annotations

from typing import Any, Literal

from scan_jax.core.types import Array
from scan_jax.layers.plain_conv import PlainConv
from scan_jax.layers.spectral_conv import SpectralConv, SpectralDoublingConv
from scan_jax.layers.upsampling_conv import DoublingConv

Kernels = Literal["free", "spectral"]


def convolved(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,H',W',features] by a `PlainConv` or a `SpectralConv` of these fields; in a compact method."""
    return SpectralConv(**fields)(x, train=train) if kernels == "spectral" else PlainConv(**fields)(x)


def doubled(x: Array, kernels: Kernels, *, train: bool, **fields: Any) -> Array:
    """[B,H,W,C] -> [B,2H,2W,features] by a `DoublingConv` or its spectral kind; in a compact method."""
    return SpectralDoublingConv(**fields)(x, train=train) if kernels == "spectral" else DoublingConv(**fields)(x)
