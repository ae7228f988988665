"""Where to take patches from a map, and taking them."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def sample_positions(key: Array, region: Array, count: int) -> tuple[Array, Array]:
    """Draws `count` pixels of each sample's region, uniformly.

    Without replacement where the region has at least `count` pixels, with replacement where it has fewer. Nothing is
    sorted: ranks are drawn by Floyd's subset algorithm and looked up in counts by row, then within the row.

    Args:
      key: one random key, split over the batch, or an array of B typed keys, one per sample. Equal keys draw equally
        from equal regions, wherever the sample stands in the batch.
      region: [B,H,W], above 0.5 = belongs to it.
      count: positions per sample.

    Returns:
      positions: [B,count,2] int32, row and column; (0, 0) where the region is empty.
      usable: [B,count] bool, False only where the region is empty.

    Raises:
      ValueError: `region` is not [B,H,W], `count` not positive, or `key` neither one key nor B.
    """
    if region.ndim != 3:
        raise ValueError(f"region must be [B,H,W], not {region.shape}")
    if count < 1:
        raise ValueError(f"count must be positive, not {count}")
    keys = _keys_per_sample(key, region.shape[0])  # [B]
    return jax.vmap(_sample_one, in_axes=(0, 0, None))(keys, region > 0.5, count)


def extract_patches(x: Array, positions: Array, size: int) -> Array:
    """Square patches of odd side `size` centred at `positions`, zeros outside the map, in the dtype of `x`.

    [B,H,W,C], integers [B,count,2], row and column -> [B,count,size,size,C]. ValueError for other shapes or an even
    size.
    """
    if x.ndim != 4 or positions.ndim != 3 or positions.shape[0] != x.shape[0] or positions.shape[-1] != 2:
        raise ValueError(f"x must be [B,H,W,C] and positions [B,count,2], not {x.shape} and {positions.shape}")
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size must be odd, not {size}")
    # The batch is an axis of the gather, not one more index: the compilers of CPUs and of tpu7x do not see through such
    # an index, and have each device send its examples to all others.
    return jax.vmap(partial(_extract, size=size))(jnp.asarray(x), positions)


def _extract(x: Array, positions: Array, size: int) -> Array:
    """`extract_patches` of one sample: [H,W,C], [count,2] -> [count,size,size,C]."""
    offsets = jnp.arange(size) - size // 2  # [size]
    rows = positions[:, 0, None, None] + offsets[None, :, None]  # [count,size,1]
    columns = positions[:, 1, None, None] + offsets[None, None, :]  # [count,1,size]
    # "fill" spares a padded copy of the whole map; negative indices must not count from the end.
    return x.at[rows, columns].get(mode="fill", fill_value=0, wrap_negative_indices=False)


def _keys_per_sample(key: Array, batch: int) -> Array:
    """One key split in `batch`, or the `batch` keys that were given: [B] typed keys."""
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)  # jax.random.PRNGKey's untyped form
    if key.ndim == 0:
        return jax.random.split(key, batch)
    if key.shape != (batch,):
        raise ValueError(f"key must be one random key or {batch}, one per sample, not of shape {key.shape}")
    return key


def _sample_one(key: Array, region: Array, count: int) -> tuple[Array, Array]:
    """`sample_positions` of one sample: region [H,W] bool -> [count,2] int32, [count] bool."""
    per_row = jnp.sum(region, axis=1, dtype=jnp.int32)  # [H]
    up_to_row = jnp.cumsum(per_row)  # [H] pixels in this row and above
    total = up_to_row[-1]
    rank = _draw_ranks(key, total, count)  # [count]
    row = jnp.sum(up_to_row[None, :] <= rank[:, None], axis=1, dtype=jnp.int32)  # [count]
    row = jnp.minimum(row, region.shape[0] - 1)  # only an empty region overshoots
    rank_in_row = rank - (up_to_row - per_row)[row]  # [count]
    up_to_column = jnp.cumsum(region[row], axis=1, dtype=jnp.int32)  # [count,W]
    column = jnp.sum(up_to_column <= rank_in_row[:, None], axis=1, dtype=jnp.int32)  # [count]
    usable = jnp.broadcast_to(total > 0, (count,))
    return jnp.where(usable[:, None], jnp.stack([row, column], axis=1), 0), usable


def _draw_ranks(key: Array, total: Array, count: int) -> Array:
    """`count` of the numbers 0 .. total-1, [count] int32: a uniform subset, or repeated draws where total < count.

    Floyd's algorithm: step i draws t_i from 0 .. last_i with last_i = total - count + i, and picks last_i instead where
    t_i is picked already. That is so when an earlier step drew the same number, or when t_i is the last_l of an earlier
    step l whose own draw was picked already: a chain of steps, followed by doubling, not one after another.
    """
    step = jnp.arange(count)  # [count]
    last = total - count + step  # [count]
    enough = total >= count
    drawn = jax.random.randint(key, (count,), 0, jnp.where(enough, last + 1, jnp.maximum(total, 1)))  # [count]
    same = (drawn[:, None] == drawn[None, :]) & (step[None, :] < step[:, None])  # [count,count]
    taken = jnp.any(same, axis=1)  # [count]
    earlier = drawn - last[0]  # [count], the step whose last_l was drawn, if it lies before this one
    link = jnp.where((earlier >= 0) & (earlier < step), earlier, step)  # [count]
    for _ in range(count.bit_length()):
        taken, link = taken | taken[link], link[link]
    return lax.select(jnp.broadcast_to(enough, (count,)), jnp.where(taken, last, drawn), drawn)
