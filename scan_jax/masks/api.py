"""What a source of holes is, which there are, and the holes of a source that are measured on.

A source is the dataclass of its config section, with `open_splits()`, which returns `HoleSplits`. A hole is bool [S,S],
True = hole.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from scan_jax.core import registry
from scan_jax.core.config import value_at
from scan_jax.core.errors import UserError
from scan_jax.masks.ratio import BUCKETS, Bucket, hole_ratio

log = logging.getLogger(__name__)

SOURCES = {  # `config.holes.name`
    "border": "scan_jax.masks.shapes:Border",
    "free_form": "scan_jax.masks.strokes:FreeForm",
    "half": "scan_jax.masks.shapes:Half",
    "irregular_masks": "scan_jax.masks.mask_folder:IrregularMasks",
    "lama_medium": "scan_jax.masks.lama:LamaMedium",
    "lama_thick": "scan_jax.masks.lama:LamaThick",
    "lama_thin": "scan_jax.masks.lama:LamaThin",
    "lama_training": "scan_jax.masks.lama:LamaTraining",
    "mask_folder": "scan_jax.masks.mask_folder:MaskFolder",
    "mixture": "scan_jax.masks.mixture:Mixture",
    "rectangles": "scan_jax.masks.shapes:Rectangles",
    "strokes": "scan_jax.masks.strokes:Strokes",
}


class HoleSource(Protocol):
    """Where holes come from, all of them with a ratio within `limits`.

    Safe to share between threads, and to pickle for worker processes.
    """

    @property
    def description(self) -> str:
        """One line for logs and reports."""

    @property
    def limits(self) -> Bucket:
        """Every hole's ratio lies in this range, (low, high]."""

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole, bool [size,size], pure in the state of `rng`; a UserError where `limits` leave none at this size."""

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """The holes to evaluate on, bool [n,size,size], ratios in `bucket`: the same on every call and every machine.

        Where `limits` exclude the bucket there are none. A source with a fixed stock gives at most `count`, or all it
        has for 0, and ignores the seed; one that draws gives `ratio.DRAWN` for 0.
        """


class HoleSplits(NamedTuple):
    """Holes to train with, and holes to measure on."""

    train: HoleSource
    held_out: HoleSource


def open_holes(section: Mapping[str, Any]) -> HoleSplits:
    """The holes of a config's `holes` section; a UserError where no source has its name, or the source refuses it.

    With any source, `held_out_path` names a folder of masks or a frozen set to measure on instead.
    """
    source = registry.bind_named(SOURCES, section, "config.holes")
    splits = source.open_splits()
    path, hole_color = (
        value_at({"holes": section}, f"holes.{key}", str, default)
        for key, default in (("held_out_path", ""), ("hole_color", "white"))
    )
    if not path or hasattr(source, "held_out_path"):  # a source that sees to it itself
        return splits
    from scan_jax.masks import mask_folder  # which imports this module

    held_out = mask_folder.open_masks(path, hole_color, splits.held_out.limits)
    return HoleSplits(splits.train, held_out)


class FixedSet(NamedTuple):
    """Holes by bucket."""

    # bucket label, such as "10-20%", to bool [n,S,S]; in the order of the buckets, none empty
    holes: Mapping[str, np.ndarray]
    digest: str  # SHA-256 (hex) of labels, sizes and bits: the same digest, the same holes


def fixed_set(
    source: HoleSource, size: int, buckets: Sequence[Bucket] = BUCKETS, per_bucket: int = 60, seed: int = 0
) -> FixedSet:
    """The evaluation holes of `source` at `size`; a bucket's holes do not depend on which others are asked for.

    Buckets that no hole of the source reaches are left out, and the log says so; a UserError where that leaves none.
    `per_bucket` and `seed` are those of `HoleSource.fixed`.
    """
    holes = {}
    for bucket in buckets:
        drawn = source.fixed(size, bucket, per_bucket, seed)  # [n,S,S]
        if len(drawn) == 0:
            log.warning("no hole in bucket %s: %s", bucket.label, source.description)
            continue
        outside = [ratio for ratio in map(hole_ratio, drawn) if ratio not in bucket]
        if outside:
            raise ValueError(f"{source.description} gave bucket {bucket} a hole of ratio {outside[0]}")
        holes[bucket.label] = drawn
    if not holes:
        labels = ", ".join(bucket.label for bucket in buckets)
        raise UserError(f"no hole to evaluate on in {labels}: {source.description}; widen config.holes.ratio")
    hasher = hashlib.sha256()
    for label, stack in holes.items():
        hasher.update(f"{label} {stack.shape}\n".encode())
        hasher.update(np.packbits(stack).tobytes())
    return FixedSet(holes, hasher.hexdigest())
