"""ImageNet's statistics of RGB in [0, 1], by which many networks see images; a ValueError unless they are [B,H,W,3]."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalize(image: Array) -> Array:
    """[B,H,W,3] in [0, 1] -> [B,H,W,3] float32 of about zero mean and unit deviation on photographs.

    On 2 image - 1, LPIPS' own scaling layer (shift -.030, -.088, -.188; scale .458, .448, .450) is the same map.
    """
    _check(image)
    return (image - _rgb(MEAN)) / _rgb(STD)


def denormalize(x: Array) -> Array:
    """The reverse of `normalize`: [B,H,W,3] -> [B,H,W,3] in float32."""
    _check(x)
    return x * _rgb(STD) + _rgb(MEAN)


def _rgb(values: tuple[float, float, float]) -> Array:
    """Three numbers as [1,1,1,3]."""
    return jnp.asarray(values, jnp.float32).reshape(1, 1, 1, 3)


def _check(image: Array) -> None:
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"images must be [B,H,W,3], not {image.shape}")
