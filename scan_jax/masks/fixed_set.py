"""Frozen holes to evaluate on, the same number in each ratio bucket, named by a hash of their bits."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.masks.api import HoleSource
from scan_jax.masks.ratio import BUCKETS, Bucket, hole_ratio

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FixedSet:
    """Holes by bucket.

    Attributes:
      holes: bucket label, such as "10-20%", to bool [n,S,S]; in the order of the buckets, none empty.
      digest: SHA-256 (hex) of labels, sizes and bits: the same digest, the same holes.
    """

    holes: Mapping[str, np.ndarray]
    digest: str


def fixed_set(
    source: HoleSource, size: int, buckets: Sequence[Bucket] = BUCKETS, per_bucket: int = 60, seed: int = 0
) -> FixedSet:
    """The evaluation holes of `source` at `size`; a bucket's holes do not depend on which others are asked for.

    Args:
      source: the held-out holes.
      size: height and width.
      buckets: what to report by; those that no hole of the source reaches are left out, and the log says so.
      per_bucket: holes in each. A mask folder gives at most that many, or all it has for 0.
      seed: for sources that draw.

    Raises:
      UserError: no bucket has a hole.
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
    return FixedSet(holes, _digest(holes))


def _digest(holes: Mapping[str, np.ndarray]) -> str:
    hasher = hashlib.sha256()
    for label, stack in holes.items():
        hasher.update(f"{label} {stack.shape}\n".encode())
        hasher.update(np.packbits(stack).tobytes())
    return hasher.hexdigest()
