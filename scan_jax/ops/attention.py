"""Attention from every pixel, or from the hole alone, to all or to the known pixels (masked attention, section III-A).

Three kinds of one softmax(query key^T), without scaling, over the pixels of a map:
`"self"`: every key counts. `"masked"`: keys in the hole have weight zero and the others still sum to one (Fig. 2), by
masking the logits, which is the paper's rescaling without its 0/0. `"contextual"`: besides, known queries attend to
nothing (Fig. 3), and are not computed. A query without any key that counts gets zero. Which keys count is said by
`_admissible`, the others are masked by `_logits`; all that is public here goes through both.

Query and key are [B,N,D], value is [B,N,V], `known` is [B,N], above 0.5 at known pixels and without gradient. Functions
that are told a `kind` refuse other shapes and kinds with a ValueError.

Memory is O(block x N), forward and backward. The cost of `"contextual"` is in proportion to the largest hole of the
batch: the loop runs over the batch's blocks together, so that a batch spread over devices stays where it is.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Kind = Literal["self", "masked", "contextual"]
# Logits in one block, over all samples: 16 MiB of float32. Larger blocks leave a CPU's cache and gain nothing there.
_LOGITS_IN_A_BLOCK = 2**22
_SHORTEST_BLOCK = 128  # shorter ones starve the matrix products
_product = partial(jnp.einsum, preferred_element_type=jnp.float32)


def masked_attention(
    query: Array, key: Array, value: Array, known: Array, kind: Kind, *, query_block: int | None = None
) -> Array:
    """The attended values [B,N,V], section III-A, in the dtype of `value`; the softmax is float32.

    Of `query_block` queries at once; None keeps a block's logits near 16 MiB.
    """
    _check(query, key, known, kind, query_block)
    _check_value(value, key)
    return _attend(query, key, value, known, kind, query_block).astype(value.dtype)


def attend_with_semantic_loss(
    query: Array,
    key: Array,
    value: Array,
    labels: Array,
    known: Array,
    kind: Kind,
    *,
    num_labels: int,
    target: float,
    query_block: int | None = None,
) -> tuple[Array, Array]:
    """`masked_attention`, and how far a hole pixel's attention on its own class is from `target` a pixel, eqs. (4)-(5).

    For each hole query |sum of its attention on the pixels of its label - target * (pixels of its label, in the hole or
    not)|, and of these the mean. The absolute value is the released code's: eq. (4) as written has no lower bound. One
    pass: classes are attended to as further values.

    Args:
      query, key, value, known, kind, query_block: see `masked_attention`.
      labels: [B,N] integers. A query whose label lies outside [0, num_labels) does not count.
      num_labels: the number of classes.
      target: mu, the attention wanted on each pixel of the class; the paper's is 5e-4.

    Returns:
      The attended values, and the loss [B] float32, zero for an image without a hole.
    """
    _check(query, key, known, kind, query_block)
    _check_value(value, key)
    if labels.shape != known.shape or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers {known.shape}, not {labels.dtype} {labels.shape}")
    if num_labels < 1:
        raise ValueError(f"num_labels must be positive, not {num_labels}")
    classes = jax.nn.one_hot(labels, num_labels, dtype=jnp.float32)  # [B,N,L]
    both = jnp.concatenate([value, classes.astype(value.dtype)], axis=-1)  # [B,N,V+L]
    attended, mass = jnp.split(_attend(query, key, both, known, kind, query_block), [value.shape[-1]], axis=-1)
    return attended.astype(value.dtype), _distance_to_target(mass, classes, known, target)


def _distance_to_target(mass: Array, classes: Array, known: Array, target: float) -> Array:
    """Eqs. (4)-(5) from a query's attention on each class: [B,N,L], one-hot [B,N,L], [B,N] -> [B]."""
    own = jnp.sum(mass * classes, axis=-1)  # [B,N], read at the query's label
    pixels = jnp.sum(classes * jnp.sum(classes, axis=1, keepdims=True), axis=-1)  # C of eq. (4) [B,N]
    queries = jnp.where(known > 0.5, 0.0, jnp.sum(classes, axis=-1))  # [B,N], 1 = counts
    count = jnp.sum(queries, axis=1)  # K of eq. (5) [B]
    return jnp.sum(jnp.abs(own - target * pixels) * queries, axis=1) / jnp.where(count > 0, count, 1.0)


def attention_rows(query: Array, key: Array, known: Array, kind: Kind, rows: Array) -> Array:
    """The attention maps of a few pixels, as in Fig. 4: integers `rows` [B,R] in [0, N) -> [B,R,N] in the query dtype.

    They sum to one, or are zero (no key counts; a known query, if contextual).
    """
    _check(query, key, known, kind, None)
    if rows.ndim != 2 or rows.shape[0] != query.shape[0] or not jnp.issubdtype(rows.dtype, jnp.integer):
        raise ValueError(f"rows must be integers [B,R] for query {query.shape}, not {rows.dtype} {rows.shape}")
    is_known = known > 0.5  # [B,N]
    chosen = jnp.take_along_axis(query, rows[..., None], axis=1)  # [B,R,D]
    weights = attention_weights(chosen, key, _admissible(is_known, kind))  # [B,R,N]
    if kind == "contextual":
        weights = jnp.where(jnp.take_along_axis(is_known, rows, axis=1)[..., None], 0.0, weights)
    return weights.astype(query.dtype)


def _attend(query: Array, key: Array, value: Array, known: Array, kind: Kind, query_block: int | None) -> Array:
    """[B,N,D], [B,N,D], [B,N,V], [B,N] -> [B,N,V] float32."""
    batch, tokens, _ = query.shape
    total, block = divide(batch, tokens, query_block)
    is_known = known > 0.5  # [B,N]
    admissible = _admissible(is_known, kind)  # [B,N]

    def compute(queries: Array, blocks: int | Array) -> Array:
        padded = jnp.pad(queries, ((0, 0), (0, total * block - tokens), (0, 0)))  # [B,total*block,D]
        return blockwise_attention(padded, key, value, admissible, blocks, block)[:, :tokens]  # [B,N,V]

    if kind != "contextual":
        return compute(query, total)
    hole_first = jnp.argsort(is_known, axis=1, stable=True)  # [B,N]
    pixels = jnp.max(jnp.sum(~is_known, axis=1))  # of the largest hole
    blocks = jnp.minimum(-(-pixels // block), total)  # which cannot be more: for exports, which ask how many at most
    rows = compute(_reorder(query, hole_first), blocks)  # [B,N,V], the hole's first
    return jnp.where(is_known[..., None], 0.0, _reorder(rows, jnp.argsort(hole_first, axis=1)))


def _admissible(is_known: Array, kind: Kind) -> Array:
    """[B,N] bool: which keys count."""
    return jnp.ones_like(is_known) if kind == "self" else is_known


def _reorder(x: Array, order: Array) -> Array:
    """[B,N,C], [B,N] -> [B,N,C]."""
    return jnp.take_along_axis(x, order[..., None], axis=1)


def _check(query: Array, key: Array, known: Array, kind: Kind, query_block: int | None) -> None:
    if query.ndim != 3 or key.shape != query.shape or known.shape != query.shape[:2]:
        raise ValueError(
            f"query and key must be [B,N,D] and known [B,N], not {query.shape}, {key.shape} and {known.shape}"
        )
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}, not {kind!r}")
    if query_block is not None and query_block < 1:
        raise ValueError(f"query_block must be positive, not {query_block}")


def _check_value(value: Array, key: Array) -> None:
    if value.ndim != 3 or value.shape[:2] != key.shape[:2]:
        raise ValueError(f"value must be [B,N,V] for key {key.shape}, not {value.shape}")


def divide(batch: int, tokens: int, query_block: int | None) -> tuple[int, int]:
    """How many blocks the queries make, and how many queries each has; of equal lengths, for the least padding.

    At most `query_block`, if given. Where the map's size is not known yet (`jax.export`), blocks are the shortest ones,
    which divide most maps.
    """
    if not isinstance(batch * tokens, int):
        block = min(query_block or _SHORTEST_BLOCK, _SHORTEST_BLOCK)
        return -(-tokens // block), block
    longest = min(query_block or choose_query_block(batch, tokens), tokens)
    total = -(-tokens // longest)
    return total, -(-tokens // total)


def choose_query_block(batch: int, tokens: int) -> int:
    """Queries of a sample to take at once, so that a block's logits stay near 16 MiB whatever the map's size."""
    return min(max(_LOGITS_IN_A_BLOCK // (batch * tokens), _SHORTEST_BLOCK), tokens)


def attention_weights(query: Array, key: Array, admissible: Array) -> Array:
    """softmax(query key^T) over the `admissible` keys [B,N] bool: [B,R,D], [B,N,D] -> [B,R,N] float32, for few queries.

    Rows sum to one, or to zero where no key is admissible.
    """
    exponentials, total, _ = _exponentials(_logits(query, key, admissible))  # [B,R,N], [B,R]
    return exponentials / total[..., None]


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def blockwise_attention(query: Array, key: Array, value: Array, admissible: Array, blocks: Any, block: int) -> Array:
    """softmax(query key^T) value for the first `blocks` blocks of queries, zero for the others.

    Logits are not scaled; they, the softmax and the sums are float32, products of values are in the values' dtype.

    Args:
      query: [B,M,D], M a multiple of `block`.
      key, value: [B,N,D] and [B,N,V].
      admissible: [B,N] bool; any other key has weight zero. Where there is none, the result is zero.
      blocks: how many to compute, an integer or a traced one; the time is in proportion.
      block: queries in a block; the memory is in proportion to `block * N`.

    Returns:
      [B,M,V] float32.
    """
    return _forward(query, key, value, admissible, blocks, block)[0]


def _forward(query: Array, key: Array, value: Array, admissible: Array, blocks: Any, block: int) -> tuple[Array, Any]:
    def visit(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        result, log_total = carry
        logits = _logits(_take(query, i, block), key, admissible)  # [B,block,N]
        exponentials, total, top = _exponentials(logits)  # [B,block,N], [B,block], [B,block]
        rows = _product("bqn,bnv->bqv", exponentials.astype(value.dtype), value) / total[..., None]  # [B,block,V]
        return _put(result, rows, i), _put(log_total, top + jnp.log(total), i)

    batch, length, _ = query.shape
    empty = jnp.zeros((batch, length, value.shape[-1]), jnp.float32), jnp.zeros((batch, length), jnp.float32)
    result, log_total = lax.fori_loop(0, blocks, visit, empty)  # [B,M,V], [B,M]
    return result, (query, key, value, admissible, blocks, result, log_total)


def _backward(block: int, saved: Any, slope: Array) -> tuple[Any, ...]:
    """With weights P, result O and slope dO: dV = P^T dO, dS = P * (dO V^T - <dO, O>), dQ = dS K, dK = dS^T Q."""
    query, key, value, admissible, blocks, result, log_total = saved
    mean_slope = jnp.sum(slope * result, axis=-1)  # <dO, O> [B,M]

    def visit(i: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        d_query, d_key, d_value = carry
        rows, rows_slope = _take(query, i, block), _take(slope, i, block).astype(value.dtype)  # [B,block,D], [..,V]
        logits = _logits(rows, key, admissible)  # [B,block,N]
        weights = jnp.exp(logits - _take(log_total, i, block)[..., None])  # P [B,block,N]
        d_weights = _product("bqv,bnv->bqn", rows_slope, value)  # [B,block,N]
        d_logits = (weights * (d_weights - _take(mean_slope, i, block)[..., None])).astype(key.dtype)  # dS
        return (
            _put(d_query, _product("bqn,bnd->bqd", d_logits, key), i),
            d_key + _product("bqn,bqd->bnd", d_logits, rows),
            d_value + _product("bqn,bqv->bnv", weights.astype(value.dtype), rows_slope),
        )

    zeros = tuple(jnp.zeros(x.shape, jnp.float32) for x in (query, key, value))
    slopes = lax.fori_loop(0, blocks, visit, zeros)
    return (*(d.astype(x.dtype) for d, x in zip(slopes, (query, key, value))), None, None)


blockwise_attention.defvjp(_forward, _backward)


def _logits(query: Array, key: Array, admissible: Array) -> Array:
    """[B,R,D], [B,N,D] -> [B,R,N] float32, -inf for keys that are not admissible."""
    # Unscaled logits are large, and their rounding is multiplied by the softmax's exponential: full precision.
    logits = _product("bqd,bnd->bqn", query, key, precision=lax.Precision.HIGHEST)
    return jnp.where(admissible[:, None], logits, -jnp.inf)


def _exponentials(logits: Array) -> tuple[Array, Array, Array]:
    """Of [B,R,N]: exp(logits - top), its sum (1 where all are zero) and top, the row's maximum (0 where it is -inf)."""
    top = jnp.max(logits, axis=-1)  # [B,R]
    top = lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))
    exponentials = jnp.exp(logits - top[..., None])  # [B,R,N]
    total = jnp.sum(exponentials, axis=-1)  # [B,R]
    return exponentials, jnp.where(total > 0, total, 1.0), top


def _take(x: Array, i: Array, block: int) -> Array:
    return lax.dynamic_slice_in_dim(x, i * block, block, axis=1)


def _put(x: Array, rows: Array, i: Array) -> Array:
    return lax.dynamic_update_slice_in_dim(x, rows, i * rows.shape[1], axis=1)
