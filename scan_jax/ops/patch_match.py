"""Patches of an image that look alike, and images put together from them: texture for what was filled smoothly.

Nearest-neighbour fields between patches (Barnes et al. 2009) and the vote of overlapping patches (Wexler, Shechtman and
Irani 2007). A field has for every pixel of the image the centre of the patch that stands for the one around it. All
shapes are fixed, so that each function is compiled once for an image size and a number of targets.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array

SIDE = 7  # pixels of a patch
REACH = SIDE // 2
CHUNK = 256  # targets that are compared with all sources at once
OFFSETS = np.indices((SIDE, SIDE)).reshape(2, -1).T - REACH  # [P,2], P = SIDE^2
NEIGHBOURS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (2, 0), (-2, 0), (0, 2), (0, -2)])


def patches(image: Array, places: Array) -> Array:
    """The patches around places [N,2] (row, column) of an image [h,w,C], its edges reflected: [N,P*C]."""
    around = jnp.pad(image, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect")
    rows, columns = (places[:, None, axis] + (OFFSETS[None, :, axis] + REACH) for axis in (0, 1))  # [N,P] both
    return around[rows, columns].reshape(len(places), -1)


@jax.jit
def search_all(image: Array, is_source: Array, targets: Array) -> tuple[Array, Array]:
    """The most alike source patch of each target, by comparing every pair.

    Args:
      image: float32 [h,w,C].
      is_source: bool [h,w], the centres of patches that may be taken.
      targets: int32 [N,2], centres; N a multiple of CHUNK.

    Returns:
      Their centres int32 [N,2], and the squared distances float32 [N].
    """
    width = image.shape[1]
    everywhere = jnp.stack(jnp.meshgrid(*map(jnp.arange, image.shape[:2]), indexing="ij"), axis=-1).reshape(-1, 2)
    sources = patches(image, everywhere)  # [M,P*C]
    lengths = jnp.where(is_source.reshape(-1), jnp.sum(sources**2, axis=1), jnp.inf)  # [M]

    def nearest(some: Array) -> tuple[Array, Array]:
        wanted = patches(image, some)  # [n,P*C]
        far = lengths[None] - 2 * jnp.matmul(wanted, sources.T, precision=lax.Precision.HIGHEST)  # [n,M]
        best = jnp.argmin(far, axis=1)
        return best, jnp.min(far, axis=1) + jnp.sum(wanted**2, axis=1)

    best, far = lax.map(nearest, targets.reshape(-1, CHUNK, 2))
    best = best.reshape(-1)
    return jnp.stack([best // width, best % width], axis=-1).astype(jnp.int32), jnp.maximum(far.reshape(-1), 0.0)


@functools.partial(jax.jit, static_argnames="rounds")
def search_near(
    image: Array, is_source: Array, field: Array, targets: Array, key: Array, rounds: int = 3
) -> tuple[Array, Array]:
    """Better source patches than a field has: those beside its own, and those that its neighbours point to.

    Args:
      image: float32 [h,w,C].
      is_source: bool [h,w].
      field: int32 [h,w,2]; -1 where it has nothing.
      targets: int32 [N,2], centres.
      key: of the random search around each.
      rounds: how often everything is tried.

    Returns:
      Their centres int32 [N,2], and the squared distances float32 [N], infinite where no source was found.
    """
    limit = jnp.array(image.shape[:2], jnp.int32)[None] - 1  # [1,2]
    wanted = patches(image, targets)  # [N,P*C]
    radii = [2**k for k in range(max(image.shape[:2]).bit_length() - 3, -1, -1)]

    def attempt(state: tuple[Array, Array], places: Array) -> tuple[Array, Array]:
        best, least = state
        places = jnp.clip(places, 0, limit)
        far = jnp.sum((patches(image, places) - wanted) ** 2, axis=1)  # [N]
        far = jnp.where(is_source[places[:, 0], places[:, 1]], far, jnp.inf)
        return jnp.where((far < least)[:, None], places, best), jnp.minimum(far, least)

    steps = jnp.concatenate([jnp.asarray(NEIGHBOURS, jnp.int32), jnp.zeros((len(radii), 2), jnp.int32)])  # [n,2]
    sizes = jnp.array([0] * len(NEIGHBOURS) + radii, jnp.int32)  # [n]

    def around(current: Array, state: tuple[Array, Array], way: tuple[Array, Array, Array]) -> tuple[Any, None]:
        step, radius, key = way
        beside = jnp.clip(targets + step[None], 0, limit)
        pointed = current[beside[:, 0], beside[:, 1]]  # [N,2]
        by_neighbour = jnp.where(pointed >= 0, pointed - step[None], state[0])
        by_chance = state[0] + jax.random.randint(jax.random.wrap_key_data(key), targets.shape, -radius, radius + 1)
        return attempt(state, jnp.where(radius > 0, by_chance, by_neighbour)), None

    def once(state: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], None]:
        current = field.at[targets[:, 0], targets[:, 1]].set(state[0])  # what neighbours point to, this round
        keys = jax.random.key_data(jax.random.split(jax.random.wrap_key_data(key), len(sizes)))
        return lax.scan(functools.partial(around, current), state, (steps, sizes, keys))[0], None

    begin = field[targets[:, 0], targets[:, 1]]  # [N,2]
    state = attempt((begin, jnp.full(len(targets), jnp.inf)), begin)
    return lax.scan(once, state, jax.random.key_data(jax.random.split(key, rounds)))[0]


@jax.jit
def vote(image: Array, hole: Array, field: Array, weight: Array) -> Array:
    """Every pixel of the hole as the mean of what the patches that it lies in have there.

    Args:
      image: float32 [h,w,C], from which patches are taken.
      hole: bool [h,w].
      field: int32 [h,w,2].
      weight: float32 [h,w], how much each patch counts; 0 where the field has nothing.

    Returns:
      float32 [h,w,C]; `image` itself outside the hole and where no patch counts.
    """
    height, width, channels = image.shape
    limit = jnp.array([[[height - 1, width - 1]]])
    fields = jnp.pad(field, ((REACH, REACH), (REACH, REACH), (0, 0)))
    weights = jnp.pad(weight, REACH)

    def add(sums: tuple[Array, Array], offset: Array) -> tuple[tuple[Array, Array], None]:
        total, counted = sums
        # The patch around the pixel at -offset has this one at +offset of its centre.
        start = REACH - offset
        centre = lax.dynamic_slice(fields, (start[0], start[1], 0), (height, width, 2))
        share = lax.dynamic_slice(weights, (start[0], start[1]), (height, width))[..., None]  # [h,w,1]
        place = jnp.clip(centre + offset[None, None], 0, limit)
        return (total + share * image[place[..., 0], place[..., 1]], counted + share), None

    nothing = jnp.zeros((height, width, channels)), jnp.zeros((height, width, 1))
    (total, counted), _ = lax.scan(add, nothing, jnp.asarray(OFFSETS, jnp.int32))
    filled = hole[..., None] & (counted > 0)
    return jnp.where(filled, total / jnp.where(counted > 0, counted, 1.0), image)
