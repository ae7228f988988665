"""Attention from every pixel, or from the hole alone, to all or to the known pixels (masked attention, section III-A).

Three kinds of one softmax(query key^T), without scaling, over the pixels of a map:
`"self"`: every key counts. `"masked"`: keys in the hole have weight zero and the others still sum to one (Fig. 2), by
masking the logits, which is the paper's rescaling without its 0/0. `"contextual"`: besides, known queries attend to
nothing (Fig. 3), and are not computed. A query without any key that counts gets zero.

Memory is O(block x N), forward and backward. The cost of `"contextual"` is in proportion to the largest hole of the
batch: the loop runs over the batch's blocks together, so that a batch spread over devices stays where it is.
"""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp

from scan_jax.ops.blockwise_attention import attention_weights, blockwise_attention, divide

Array = jax.Array
Kind = Literal["self", "masked", "contextual"]


def masked_attention(
    query: Array, key: Array, value: Array, known: Array, kind: Kind, *, query_block: int | None = None
) -> Array:
    """The attended values, section III-A.

    Args:
      query: [B,N,D].
      key: [B,N,D].
      value: [B,N,V].
      known: [B,N], above 0.5 = known pixel, else hole; without gradient.
      kind: "self", "masked" or "contextual", see the module.
      query_block: queries computed at once; None keeps a block's logits near 16 MiB.

    Returns:
      [B,N,V], in the dtype of `value`; the softmax is float32.

    Raises:
      ValueError: the shapes do not agree, no such `kind`, or `query_block` is not positive.
    """
    _check(query, key, known, kind, query_block)
    _check_value(value, key)
    return _attend(query, key, value, known, kind, query_block).astype(value.dtype)


def attention_rows(query: Array, key: Array, known: Array, kind: Kind, rows: Array) -> Array:
    """The attention maps of a few pixels, as in Fig. 4.

    Args:
      query: [B,N,D].
      key: [B,N,D].
      known: [B,N], above 0.5 = known pixel.
      kind: "self", "masked" or "contextual".
      rows: [B,R] integers in [0, N), which queries.

    Returns:
      [B,R,N] in the dtype of `query`; rows sum to one, or are zero (no key counts; a known query, if contextual).

    Raises:
      ValueError: the shapes do not agree, `rows` are not integers, or no such `kind`.
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


def semantic_attention_loss(
    query: Array, key: Array, labels: Array, known: Array, kind: Kind, *, num_labels: int, target: float
) -> Array:
    """How far a hole pixel's attention on its own class is from `target` a pixel, eqs. (4)-(5).

    For each hole query |sum of its attention on the pixels of its label - target * (pixels of its label, in the hole or
    not)|, and of these the mean. The absolute value is the released code's: eq. (4) as written has no lower bound.

    Args:
      query: [B,N,D].
      key: [B,N,D].
      labels: [B,N] integers. A query whose label lies outside [0, num_labels) does not count.
      known: [B,N], above 0.5 = known pixel.
      kind: "self", "masked" or "contextual".
      num_labels: the number of classes.
      target: mu, the attention wanted on each pixel of the class; the paper's is 5e-4.

    Returns:
      [B] float32, zero for an image without a hole.

    Raises:
      ValueError: the shapes do not agree, `labels` are not integers, or no such `kind`.
    """
    _check(query, key, known, kind, None)
    _check_labels(labels, known, num_labels)
    classes = jax.nn.one_hot(labels, num_labels, dtype=jnp.float32)  # [B,N,L]
    mass = _attend(query, key, classes.astype(key.dtype), known, kind, None)  # [B,N,L]
    return _distance_to_target(mass, classes, known, target)


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
    """`masked_attention` and `semantic_attention_loss` in one pass: classes are attended to as further values.

    Takes the arguments of both, and returns the results of both: [B,N,V] in the dtype of `value`, and [B] float32.

    Raises:
      ValueError: as those two.
    """
    _check(query, key, known, kind, query_block)
    _check_value(value, key)
    _check_labels(labels, known, num_labels)
    classes = jax.nn.one_hot(labels, num_labels, dtype=jnp.float32)  # [B,N,L]
    both = jnp.concatenate([value, classes.astype(value.dtype)], axis=-1)  # [B,N,V+L]
    attended, mass = jnp.split(_attend(query, key, both, known, kind, query_block), [value.shape[-1]], axis=-1)
    return attended.astype(value.dtype), _distance_to_target(mass, classes, known, target)


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
    rows = compute(_reorder(query, hole_first), -(-pixels // block))  # [B,N,V], the hole's first
    return jnp.where(is_known[..., None], 0.0, _reorder(rows, jnp.argsort(hole_first, axis=1)))


def _admissible(is_known: Array, kind: Kind) -> Array:
    """[B,N] bool: which keys count."""
    return jnp.ones_like(is_known) if kind == "self" else is_known


def _reorder(x: Array, order: Array) -> Array:
    """[B,N,C], [B,N] -> [B,N,C]."""
    return jnp.take_along_axis(x, order[..., None], axis=1)


def _distance_to_target(mass: Array, classes: Array, known: Array, target: float) -> Array:
    """Eqs. (4)-(5) from a query's attention on each class: [B,N,L], one-hot [B,N,L], [B,N] -> [B]."""
    own = jnp.sum(mass * classes, axis=-1)  # [B,N], read at the query's label
    pixels = jnp.sum(classes * jnp.sum(classes, axis=1, keepdims=True), axis=-1)  # C of eq. (4) [B,N]
    queries = jnp.where(known > 0.5, 0.0, jnp.sum(classes, axis=-1))  # [B,N], 1 = counts
    count = jnp.sum(queries, axis=1)  # K of eq. (5) [B]
    return jnp.sum(jnp.abs(own - target * pixels) * queries, axis=1) / jnp.where(count > 0, count, 1.0)


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


def _check_labels(labels: Array, known: Array, num_labels: int) -> None:
    if labels.shape != known.shape or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers {known.shape}, not {labels.dtype} {labels.shape}")
    if num_labels < 1:
        raise ValueError(f"num_labels must be positive, not {num_labels}")
