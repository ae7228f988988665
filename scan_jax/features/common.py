"""What the feature networks share: the check of what they are asked for, and poolings whose ties share the gradient."""

from __future__ import annotations

import jax.numpy as jnp

from scan_jax.core.types import Array


def check_request(title: str, image: Array, layers: tuple[str, ...], names: tuple[str, ...], min_side: int = 1) -> None:
    """Raises ValueError unless the image is [B,H,W,3] of at least min_side pixels and there are such layers.

    `min_side` is for one window of the first convolution; a map too small for a pooling is refused there.
    """
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"{title} needs images [B,H,W,3], not {image.shape}")
    if min(image.shape[1:3]) < min_side:
        raise ValueError(f"{title} needs images of at least {min_side}x{min_side} pixels, not {image.shape}")
    if not layers or set(layers) - set(names):
        raise ValueError(f"{title} has the layers {names}, at least one must be asked for, not {layers}")


def max_pool(x: Array, size: int) -> Array:
    """[B,H,W,C] -> [B,(H-size)//2+1,(W-size)//2+1,C]: windows of size x size, stride 2, no padding.

    The gradient of a tie is shared between the pixels that reach the maximum (`nn.max_pool` gives all to the first).
    ValueError for another rank, or a map smaller than one window.
    """
    if x.ndim != 4:
        raise ValueError(f"max_pool needs [B,H,W,C], not {x.shape}")
    return _pool_axis(_pool_axis(x, 1, size), 2, size)


def max_pool_rounding_up(x: Array, size: int) -> Array:
    """As `max_pool`, but a last window that hangs over the edge counts too: PyTorch's `ceil_mode`.

    [B,H,W,C] -> [B,ceil((H-size)/2)+1,ceil((W-size)/2)+1,C]
    """
    if x.ndim != 4:
        raise ValueError(f"max_pool_rounding_up needs [B,H,W,C], not {x.shape}")
    over = [(0, (length - size) % 2) for length in x.shape[1:3]]
    return max_pool(jnp.pad(x, ((0, 0), *over, (0, 0)), constant_values=-jnp.inf), size)


def _pool_axis(x: Array, axis: int, size: int) -> Array:
    """Windows along one axis; the maximum over a square is the maximum of row maxima."""
    count = (x.shape[axis] - size) // 2 + 1
    if count < 1:
        raise ValueError(f"a map of shape {x.shape} is too small to be pooled by {size}")
    pooled = None
    for offset in range(size):
        window = [slice(None)] * x.ndim
        window[axis] = slice(offset, offset + 2 * count - 1, 2)
        shifted = x[tuple(window)]  # every second row or column, from `offset`
        pooled = shifted if pooled is None else jnp.maximum(pooled, shifted)
    assert pooled is not None  # size >= 1
    return pooled
