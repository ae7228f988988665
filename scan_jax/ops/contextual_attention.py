"""Attention between patches of one map: contextual (Yu et al. 2018) and knowledge-consistent (RFR, Li et al. 2020).

Contextual attention (section 3.2) rebuilds a map from patches of its own background. The literal form convolves every
image with its own 3x3 patches and pastes 4x4 patches by a transposed convolution. Both are sums along diagonals of a
map of all pairs of pixels, which is one matrix product: the same result with a ninth and a quarter of the products, for
a whole batch at once.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from scan_jax.ops.convolution import count_known
from scan_jax.ops.image import shrink_nearest

Array = jax.Array

SHORTEST = 1e-4  # no patch counts as shorter than this
_EPSILON = 1e-7


def contextual_attention(x: Array, hole: Array, *, scale: float = 10.0) -> Array:
    """Replaces every 4x4 patch, at stride 2, by a mean of the map's own patches, weighted by likeness.

    Likeness is that of 3x3 patches at half the size, see `contextual_weights`. Where patches overlap they are added,
    and the sum is divided by four, the number that overlap inside the map.

    Args:
      x: [B,H,W,C], H and W even.
      hole: [B,H,W,1], 1 where x lies in the hole; patches that touch it are not taken from.
      scale: of the logits.

    Returns:
      [B,H,W,C] in the dtype of x; zero where there is no patch without a hole.
    """
    if x.ndim != 4 or hole.shape != (*x.shape[:3], 1) or x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"x must be [B,H,W,C] and hole [B,H,W,1], H and W even, not {x.shape} and {hole.shape}")
    weights = contextual_weights(shrink_nearest(x, 2), shrink_nearest(hole, 2), scale=scale)  # [B,H/2,W/2,H/2,W/2]
    return _paste(weights, x)


def contextual_weights(x: Array, hole: Array, *, scale: float = 10.0) -> Array:
    """How much each place of a map [B,h,w,C] is to take from each other place: [B,h,w,h,w] float32, sums at most 1.

    The likeness of places p and q is <patch(p), patch(q)> / max(|patch(q)|, 1e-4) over 3x3 patches, zero outside the
    map. It is added to that of (p - 1, q - 1) and (p + 1, q + 1), with places numbered row by row; then again with
    places numbered column by column ("fused": neighbours are to come from neighbours). The weights are its softmax over
    all q, times `scale`; places whose patch touches the image's `hole` [B,h,w,1] enter with a likeness of 0 and then
    get no weight.
    """
    if x.ndim != 4 or hole.shape != (*x.shape[:3], 1):
        raise ValueError(f"x must be [B,h,w,C] and hole [B,h,w,1], not {x.shape} and {hole.shape}")
    batch, height, width, _ = x.shape
    valid = count_known(hole.astype(jnp.float32), 3, 1)[..., 0] == 0  # [B,h,w]: no hole in the patch
    valid = valid[:, None, None].astype(jnp.float32)  # [B,1,1,h,w]
    logits = scale * _fuse(_likeness(x)) * valid  # [B,h,w,h,w]
    weights = jax.nn.softmax(logits.reshape(batch, height, width, -1), axis=-1)
    return weights.reshape(logits.shape) * valid


def _likeness(x: Array) -> Array:
    """[B,h,w,C] -> [B,h,w,h,w] float32."""
    batch, height, width, channels = x.shape
    pixels = x.reshape(batch, height * width, channels)
    # Logits are not bounded, and their rounding is multiplied by the softmax's exponential: full precision.
    pairs = jnp.einsum(
        "bpc,bqc->bpq", pixels, pixels, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )
    pairs = pairs.reshape(batch, height, width, height, width)
    products = _sum_along(_sum_along(pairs, (1, 3)), (2, 4))  # of patches [B,h,w,h,w]
    squares = jnp.sum(jnp.square(x.astype(jnp.float32)), axis=-1)  # [B,h,w]
    squares = _sum_along(_sum_along(squares, (1,)), (2,))  # of patches
    length = jnp.sqrt(jnp.maximum(squares, SHORTEST**2))  # [B,h,w]; the root of 0 would have no slope
    return products / length[:, None, None]


def _fuse(likeness: Array) -> Array:
    """[B,h,w,h,w], each added to its neighbours along the rows' order, then along the columns'."""
    batch, height, width = likeness.shape[:3]
    pairs = (batch, height * width, height * width)
    by_rows = _sum_along(likeness.reshape(pairs), (1, 2)).reshape(likeness.shape)
    by_columns = _sum_along(by_rows.transpose(0, 2, 1, 4, 3).reshape(pairs), (1, 2))
    return by_columns.reshape(batch, width, height, width, height).transpose(0, 2, 1, 4, 3)


def _sum_along(x: Array, axes: tuple[int, ...]) -> Array:
    """x moved by -1, 0 and 1 along all `axes` together, added up; zeros come in from outside."""
    padded = jnp.pad(x, [(1, 1) if axis in axes else (0, 0) for axis in range(x.ndim)])
    moved = [
        padded[tuple(part if axis in axes else slice(None) for axis in range(x.ndim))]
        for part in (slice(None, -2), slice(1, -1), slice(2, None))
    ]
    return moved[0] + moved[1] + moved[2]


def _paste(weights: Array, x: Array) -> Array:
    """Adds up weighted 4x4 patches at stride 2: [B,h,w,h,w], [B,2h,2w,C] -> [B,2h,2w,C].

    A patch is 2x2 cells of 2x2 pixels of the padded map. That cell a of the patch at q goes to cell a of the patch at p
    moves both by a: weights of cells are those of patches, moved along both and added up.
    """
    batch, height, width = weights.shape[:3]
    between = _to_cells(_to_cells(weights, (1, 3)), (2, 4))  # [B,h+1,w+1,h+1,w+1]
    count = (height + 1) * (width + 1)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # [B,2h+2,2w+2,C]
    cells = padded.reshape(batch, height + 1, 2, width + 1, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    pasted = jnp.einsum(
        "bpq,bqc->bpc",
        between.reshape(batch, count, count).astype(x.dtype),
        cells.reshape(batch, count, -1),
        preferred_element_type=jnp.float32,
    )  # [B,(h+1)(w+1),4C]
    pasted = pasted.reshape(cells.shape).transpose(0, 1, 3, 2, 4, 5).reshape(padded.shape)
    return (pasted[:, 1:-1, 1:-1] / 4).astype(x.dtype)


def _to_cells(weights: Array, axes: tuple[int, int]) -> Array:
    """Of patches to those of the two cells that each has, along two axes together: both become longer by one."""
    first, second = (
        jnp.pad(weights, [place if axis in axes else (0, 0) for axis in range(weights.ndim)])
        for place in ((0, 1), (1, 0))
    )
    return first + second


class Memory(NamedTuple):
    """What one recurrence leaves to the next of the same forward pass."""

    scores: Array  # [B,N,N] float32, of every pixel (rows) for every pixel; rows sum to 1
    known: Array  # [B,N,1], which rows were known already


def knowledge_consistent_attention(x: Array, known: Array, ratio: Array, memory: Memory | None) -> tuple[Array, Memory]:
    """Every pixel becomes a mean of the map's directions, weighted by likeness, then and now (RFR, section 3.2).

    The score of a pixel for a key is the product with the key's direction, summed over the pixel's 3x3 neighbourhood;
    a softmax over the keys follows. Rows that the last recurrence knew are averaged with its scores, 1 to |ratio|.

    Args:
      x: [B,H,W,C], queries and keys.
      known: [B,H,W,1], 1 where the map is known by now.
      ratio: scalar; the weight of the present beside the past.
      memory: the last recurrence's; None in the first.

    Returns:
      [B,H,W,C] in the dtype of x, and what the next recurrence wants.
    """
    if x.ndim != 4 or known.shape != (*x.shape[:3], 1) or ratio.ndim:
        raise ValueError(
            f"x must be [B,H,W,C], known [B,H,W,1] and ratio a scalar, not {x.shape}, {known.shape} and {ratio.shape}"
        )
    shifted = x.astype(jnp.float32) + _EPSILON  # [B,H,W,C]
    norm = jnp.sqrt(jnp.sum(jnp.square(shifted), axis=-1, keepdims=True))
    rows = (x.shape[0], x.shape[1] * x.shape[2], -1)
    keys = (shifted / norm).astype(x.dtype).reshape(rows)  # [B,N,C]
    queries = _sum_along(_sum_along(x, (1,)), (2,)).reshape(rows)  # [B,N,C]
    products = jnp.einsum("bqc,bkc->bqk", queries, keys, preferred_element_type=jnp.float32)  # [B,N,N]
    scores = jax.nn.softmax(products, axis=-1)
    if memory is not None:
        present = jnp.abs(ratio).astype(jnp.float32) + _EPSILON
        scores = (memory.scores * memory.known + scores * present) / (memory.known + present)
    found = jnp.einsum("bqk,bkc->bqc", scores.astype(x.dtype), keys)  # [B,N,C]
    return found.reshape(x.shape), Memory(scores, known.astype(jnp.float32).reshape(rows))
