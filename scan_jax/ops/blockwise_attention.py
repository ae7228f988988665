"""Softmax attention over blocks of queries: exact, and neither pass ever holds the N x N map.

The forward pass keeps a query's result and the logarithm of its sum of exponentials; the backward pass makes each
block's weights again from it (Rabe & Staats 2021; the gradient as in Dao et al. 2022, section 3.1). Only as many blocks
are visited as the caller asks for, a number that may be known no sooner than at run time. Reverse mode only.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

# Logits in one block, over all samples: 16 MiB of float32. Larger blocks leave a CPU's cache and gain nothing there.
_LOGITS_IN_A_BLOCK = 2**22
_SHORTEST_BLOCK = 128  # shorter ones starve the matrix products

_product = partial(jnp.einsum, preferred_element_type=jnp.float32)


def choose_query_block(batch: int, tokens: int) -> int:
    """Queries of a sample to take at once, so that a block's logits stay near 16 MiB whatever the map's size."""
    return min(max(_LOGITS_IN_A_BLOCK // (batch * tokens), _SHORTEST_BLOCK), tokens)


def divide(batch: int, tokens: int, query_block: int | None) -> tuple[int, int]:
    """How many blocks the queries make, and how many queries each has; of equal lengths, for the least padding.

    Where the map's size is not known yet (`jax.export`), blocks are the shortest ones, which divide most maps.

    Args:
      batch: samples.
      tokens: queries of a sample.
      query_block: queries in a block at most; None chooses.
    """
    if not isinstance(batch * tokens, int):
        block = min(query_block or _SHORTEST_BLOCK, _SHORTEST_BLOCK)
        return -(-tokens // block), block
    longest = min(query_block or choose_query_block(batch, tokens), tokens)
    total = -(-tokens // longest)
    return total, -(-tokens // total)


def attention_weights(query: Array, key: Array, admissible: Array) -> Array:
    """softmax(query key^T) over the admissible keys, for few queries: the weights themselves.

    Args:
      query: [B,R,D].
      key: [B,N,D].
      admissible: [B,N] bool; any other key has weight zero.

    Returns:
      [B,R,N] float32; rows sum to one, or to zero where no key is admissible.
    """
    exponentials, total, _ = _exponentials(_logits(query, key, admissible))  # [B,R,N], [B,R]
    return exponentials / total[..., None]


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def blockwise_attention(query: Array, key: Array, value: Array, admissible: Array, blocks: Any, block: int) -> Array:
    """softmax(query key^T) value for the first `blocks` blocks of queries, zero for the others.

    Logits are not scaled; they, the softmax and the sums are float32, products of values are in the values' dtype.

    Args:
      query: [B,M,D], M a multiple of `block`.
      key: [B,N,D].
      value: [B,N,V].
      admissible: [B,N] bool; any other key has weight zero. Where there is none, the result is zero.
      blocks: how many blocks to compute, an integer or a traced one; the time is in proportion.
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
