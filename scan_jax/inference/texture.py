"""Texture for a hole that was filled smoothly: its detail is replaced by patches of what is known that agree with it.

The filling is the guide. From coarse to fine, every patch that touches the hole looks for the most alike known patch,
and the patches vote for the pixels in the hole (`ops.patch_match`). Patches with a pixel of the hole are never taken.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.inference.tiling import bounds, grown, to_bytes
from scan_jax.ops import patch_match
from scan_jax.ops.patch_match import CHUNK, REACH, SIDE

COARSEST = 64  # pixels, the short side of the coarsest level at most
EXHAUSTIVE = 96 * 96  # pixels of a level up to which all pairs of patches are compared
FIRST_ROUNDS, ROUNDS = 8, 2  # of matching and voting, on levels that compare all pairs and on finer ones
MARGIN = 64  # pixels at least that are seen around the hole, and as many as the hole is wide
MIN_SOURCES = 64  # patches of a level to choose from; with fewer, the level is skipped
COLOURS = 0.1  # of the hole's depth: below that scale the patches count, above it the guide
INWARD = 1.3  # that many times less counts a patch for each pixel that it lies deeper in the hole


class Level(NamedTuple):
    """float32 [h,w,3], and bool [h,w] twice; what is neither known nor hole is padding."""

    image: np.ndarray
    known: np.ndarray
    hole: np.ndarray


def add_texture(filled: np.ndarray, hole: np.ndarray, unseen: np.ndarray | None = None) -> np.ndarray:
    """A filling uint8 [H,W,3] whose detail in its hole, bool [H,W], is replaced by that of the photograph around it.

    No patch is taken from `unseen`, bool [H,W], either. Where there is too little to take from, it is `filled` itself.
    """
    if not hole.any():
        return filled
    box = bounds(hole)
    place = grown(box, hole.shape, max(MARGIN, box.height), max(MARGIN, box.width)).slices
    levels = _levels(filled[place], hole[place], (hole if unseen is None else hole | unseen)[place])
    current: np.ndarray | None = None
    field = np.zeros((0, 0, 2), np.int32)
    for level in reversed(levels):
        sources = _sources(level.known)
        if sources.sum() < MIN_SOURCES:
            continue
        targets = np.argwhere(cv2.dilate(level.hole.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)))
        current, field = _refine(level, sources, targets.astype(np.int32), current, field)
    if current is None:
        return filled
    coloured = _with_colours_of(levels[0].image, current, levels[0].hole)
    textured, inside = filled.copy(), hole[place]  # [h,w]
    textured[place][inside] = to_bytes(coloured[: inside.shape[0], : inside.shape[1]][inside])
    return textured


def _levels(filled: np.ndarray, hole: np.ndarray, unknown: np.ndarray) -> list[Level]:
    """From the finest, padded to a size that others share, by halving."""
    pads = [(0, _padded(length) - length) for length in hole.shape]
    image = np.pad(filled.astype(np.float32) / np.float32(255), (*pads, (0, 0)), mode="edge")
    levels = [Level(image, np.pad(~unknown, pads), np.pad(hole, pads))]
    while min(levels[-1].hole.shape) > COARSEST:
        image, known, holes = (part.reshape(len(part) // 2, 2, part.shape[1] // 2, 2, -1) for part in levels[-1])
        mean = image.mean(axis=(1, 3))  # [h/2,w/2,3]
        levels.append(Level(mean, np.all(known, axis=(1, 3, 4)), np.any(holes, axis=(1, 3, 4))))
    return levels


def _padded(length: int) -> int:
    """64, 96, 128, 192, 256, ...: the first that is not less."""
    side = COARSEST
    while side < length:
        side = side * 3 // 2 if side & (side - 1) == 0 else side * 4 // 3
    return side


def _sources(known: np.ndarray) -> np.ndarray:
    """The centres of patches that are known and inside, bool [h,w]."""
    return cv2.erode(known.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8), borderValue=0).astype(bool)


def _refine(
    level: Level, sources: np.ndarray, targets: np.ndarray, coarse: np.ndarray | None, field: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The image of a level with texture, and its field, from those of the next coarser one."""
    shape, hole = level.hole.shape, jnp.asarray(level.hole)
    depth = cv2.distanceTransform(level.hole.astype(np.uint8), cv2.DIST_L2, 3)  # [h,w]
    inward = INWARD ** -depth[targets[:, 0], targets[:, 1]]  # [N]
    padded = np.pad(targets, ((0, -len(targets) % _bucket(len(targets))), (0, 0)), mode="edge")

    def put(found: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The field of what was found, and how much each patch counts."""
        found, far = found[: len(targets)], far[: len(targets)]
        seen = np.isfinite(far)
        likely = np.exp(-far / (2 * max(np.percentile(far[seen], 75), 1e-6))) if seen.any() else far
        dense, weight = np.full((*shape, 2), -1, np.int32), np.zeros(shape, np.float32)
        dense[tuple(targets.T)], weight[tuple(targets.T)] = found, np.where(seen, likely * inward, 0)
        return dense, weight

    exhaustive = level.hole.size <= EXHAUSTIVE
    image = level.image
    if coarse is not None:
        image = np.where(level.hole[..., None], cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), image)
        if not exhaustive:
            field = _doubled(field, sources, targets)
            _, weight = put(field[tuple(targets.T)], np.zeros(len(targets), np.float32))
            image = np.asarray(patch_match.vote(image, hole, field, weight))
    for step in range(FIRST_ROUNDS if exhaustive else ROUNDS):
        if exhaustive:
            found, far = patch_match.search_all(image, sources, padded)
        else:
            found, far = patch_match.search_near(image, sources, field, padded, jax.random.key(step))
        field, weight = put(np.asarray(found), np.asarray(far))
        image = np.asarray(patch_match.vote(image, hole, field, weight))
    return image, field


def _with_colours_of(guide: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """What varies slowly in the hole is the guide's, which is nearer to the truth there; the rest is the image's."""
    deviation = COLOURS * float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), deviation)[..., None]  # [h,w,1]
    return image + cv2.GaussianBlur(guide - image, (0, 0), deviation) / np.maximum(share, 0.3)


def _bucket(count: int) -> int:
    """The number of targets is a multiple of it, so that few numbers occur."""
    return max(CHUNK, 1 << (count.bit_length() - 2))


def _doubled(field: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A field for twice the size: int32 [h,w,2]; where it would lead to no source, to the nearest one."""
    below = np.minimum(targets // 2, np.array(field.shape[:2]) - 1)
    pointed = field[tuple(below.T)]  # [N,2]
    found = np.where(pointed >= 0, 2 * pointed + targets % 2, targets)
    found = np.clip(found, REACH, np.array(sources.shape) - 1 - REACH)
    nearest = _nearest_source(sources)
    dense = np.full((*sources.shape, 2), -1, np.int32)
    dense[tuple(targets.T)] = nearest[tuple(found.T)]
    return dense


def _nearest_source(sources: np.ndarray) -> np.ndarray:
    """Of every pixel: int32 [h,w,2]."""
    away = (~sources).astype(np.uint8)
    _, number = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    places = np.zeros((number.max() + 1, 2), np.int32)
    places[number[sources]] = np.argwhere(sources)
    return places[number]
