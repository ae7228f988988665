"""Canny's edge detector (Canny 1986) as scikit-image has it, of the known pixels of a batch of photographs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from scan_jax.ops.image import gaussian_taps

Array = jax.Array

_REACH = 4.0  # of the blur, in standard deviations
_TINY = 2.220446e-16  # beside a sum of weights; where nothing is known all around, the blur is 0
_HOPS = 4  # pixels that edges grow between two looks at whether they still do


def canny(gray: Array, known: Array, sigma: float = 2.0, *, low: float = 0.1, high: float = 0.2) -> Array:
    """Where the known pixels have edges; equal to `skimage.feature.canny(gray, sigma, mask=known)` but for rounding.

    A Gaussian blur over known pixels, of standard deviation `sigma`; of Sobel's gradient the ridges that are at least
    `low`; of those, what hangs together with a pixel of at least `high`. Pixels at the rim of a hole or of the image
    have no edges. Each image is on its own; no gradient flows.

    `gray` [B,H,W,1] in [0, 1], of which the hole is not read, `known` likewise, above 0.5 = known -> [B,H,W,1], 1 on
    edges, in the dtype of `gray`. ValueError for other shapes, a `sigma` that is not positive, or `high` below `low`.
    """
    if gray.ndim != 4 or gray.shape[-1] != 1 or known.shape != gray.shape:
        raise ValueError(f"gray and known must be [B,H,W,1], not {gray.shape} and {known.shape}")
    if not sigma > 0 or high < low:
        raise ValueError(f"sigma must be positive and high at least low, not {sigma}, {low} and {high}")
    seen = lax.stop_gradient(known)[..., 0] > 0.5  # [B,H,W]
    values = jnp.where(seen, lax.stop_gradient(gray)[..., 0].astype(jnp.float32), 0.0)  # [B,H,W]
    smooth = _blur(values, sigma) / (_blur(seen.astype(jnp.float32), sigma) + _TINY)  # [B,H,W]
    down, right = _sobel(smooth)  # [B,H,W] each
    strength = jnp.sqrt(jnp.square(down) + jnp.square(right))  # [B,H,W]
    weak = _is_ridge(down, right, strength) & _is_inside(seen) & (strength >= low)
    return _linked(weak & (strength >= high), weak)[..., None].astype(gray.dtype)


def _moved(x: Array, rows: int, columns: int) -> Array:
    """What stands so many rows below and columns to the right of each pixel, at most one; zero outside: [B,H,W]."""
    _, height, width = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]


def _blur(x: Array, sigma: float) -> Array:
    """[B,H,W] under a Gaussian along rows and columns, zeros outside."""
    radius = int(_REACH * sigma + 0.5)
    taps = gaussian_taps(sigma, radius)
    for axis in (1, 2):
        around = [(radius, radius) if place == axis else (0, 0) for place in range(3)]
        padded, size = jnp.pad(x, around), x.shape[axis]
        parts = [tap * lax.slice_in_dim(padded, i, i + size, axis=axis) for i, tap in enumerate(taps)]
        x = sum(parts[1:], parts[0])  # [B,H,W]
    return x


def _sobel(x: Array) -> tuple[Array, Array]:
    """The slope along rows and along columns, times 8: [B,H,W] each; the border's pixels go on outside."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")  # [B,H+2,W+2]
    across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]  # [B,H+2,W]
    along = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]  # [B,H,W+2]
    return across[:, 2:] - across[:, :-2], along[:, :, 2:] - along[:, :, :-2]


def _is_ridge(down: Array, right: Array, strength: Array) -> Array:
    """Where no neighbour along the gradient is stronger, between the two pixels that it passes: [B,H,W] bool."""
    steep = jnp.abs(down) > jnp.abs(right)  # nearer to a column than to a row
    larger = jnp.maximum(jnp.abs(down), jnp.abs(right))
    share = jnp.minimum(jnp.abs(down), jnp.abs(right)) / jnp.where(larger > 0, larger, 1.0)  # of the diagonal one
    falling = (down > 0) == (right > 0)  # the gradient goes down to the right, or up to the left
    ridge = jnp.ones(strength.shape, bool)
    for way in (1, -1):
        along = jnp.where(falling, way, -way)  # the row's direction that goes with this one along columns
        below, above = _moved(strength, 1, 0), _moved(strength, -1, 0)
        straight = jnp.where(steep, jnp.where(along > 0, below, above), _moved(strength, 0, way))
        diagonal = jnp.where(along > 0, _moved(strength, 1, way), _moved(strength, -1, way))
        ridge &= diagonal * share + straight * (1 - share) <= strength
    return ridge


def _is_inside(seen: Array) -> Array:
    """Known pixels all of whose eight neighbours are known, too: [B,H,W] bool."""
    rows = _moved(seen, -1, 0) & seen & _moved(seen, 1, 0)
    return _moved(rows, 0, -1) & rows & _moved(rows, 0, 1)


def _linked(strong: Array, weak: Array) -> Array:
    """All weak pixels that hang together with a strong one, diagonally too: [B,H,W] bool twice -> [B,H,W] bool."""

    def grow(state: tuple[Array, Array]) -> tuple[Array, Array]:
        edges, _ = state
        grown = edges
        for _ in range(_HOPS):
            rows = _moved(grown, -1, 0) | grown | _moved(grown, 1, 0)
            grown = (_moved(rows, 0, -1) | rows | _moved(rows, 0, 1)) & weak
        return grown, jnp.any(grown != edges)

    return lax.while_loop(lambda state: state[1], grow, (strong, jnp.array(True)))[0]
