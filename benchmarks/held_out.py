"""A run's first held-out photographs, each with one hole, as its network may see them; the benchmarks of attention and
styles measure on them.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scan_jax.core.config import Config
from scan_jax.core.types import Example
from scan_jax.data.api import open_data
from scan_jax.masks.api import open_holes


def held_out(config: Config, count: int) -> Example:
    """At most `count` photographs of the config's data, with labels; photograph i has the hole drawn from seed i."""
    source, size = open_data(config.data).held_out, config.size
    photos = [source[index] for index in range(min(count, len(source)))]
    holes = open_holes(config.holes).held_out
    drawn = np.stack([holes.draw(np.random.default_rng(index), size) for index in range(len(photos))])  # [n,S,S]
    known = 1 - drawn[..., None].astype(np.float32)  # [n,S,S,1]
    image = np.stack([photo["image"] for photo in photos]).astype(np.float32) / 255  # [n,S,S,3]
    labels = np.stack([photo["labels"] for photo in photos]).astype(np.int32)  # [n,S,S]
    return Example(*map(jnp.asarray, (image, known, labels)))
