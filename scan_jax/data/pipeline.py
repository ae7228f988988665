"""Photographs and holes to training batches, the same ones on any number of hosts.

Grain's order is what makes it so: source, seed, shuffle, repeat, random_map, [host::hosts], batch. Every draw is made
before the hosts part, so global batch k is one set of examples, and the data position is the step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import grain
import numpy as np

from scan_jax.data.api import Photo, PhotoSource
from scan_jax.errors import UserError
from scan_jax.masks.api import HoleSource
from scan_jax.types import Example


def training_batches(
    source: PhotoSource,
    holes: HoleSource,
    *,
    batch_size: int,
    seed: int,
    start_step: int,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
) -> Iterator[Example]:
    """Batches without end: batch k is pure in (seed, k), wherever they started and however many threads read.

    Args:
      source: photographs; fewer than a batch are repeated within it.
      holes: one is drawn for each example.
      batch_size: over all hosts.
      seed: of order, flips and holes.
      start_step: the first batch's number.
      process_index: this host.
      process_count: all hosts. Over them, batch k holds the same examples as on one host.
      threads: that read ahead; 0 reads in the caller's.

    Returns:
      NumPy Examples of b = batch_size / process_count: image float32 [b,S,S,3] in [0, 1], known float32 [b,S,S,1],
      labels int32 [b,S,S] or None. Closing or dropping the iterator stops its threads.

    Raises:
      UserError: the batch does not divide among the hosts, the seed is out of range, or a source has nothing to give.
    """
    if len(source) == 0:
        raise UserError(f"{source.name} has no photographs to train with")
    if batch_size <= 0 or batch_size % process_count:
        raise UserError(f"the batch of {batch_size} must be a positive multiple of the {process_count} processes")
    if not 0 <= seed < 2**32:
        raise UserError(f"the seed must be from 0 to {2**32 - 1}, not {seed}")
    size = source[0]["image"].shape[0]
    holes.draw(np.random.default_rng(seed), size)  # a source that refuses does so here, not in a thread
    dataset = (
        grain.MapDataset.source(source)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(DrawExample(holes, size, source.flip_pairs))[process_index::process_count]
        .batch(batch_size // process_count, drop_remainder=True)
        .map(to_example)
    )
    # Without threads Grain reads in the caller's, and wants no buffer.
    return _read(dataset.to_iter_dataset(grain.ReadOptions(threads, 2 * threads)), start_step)


def _read(dataset: grain.IterDataset, start_step: int) -> Iterator[Example]:
    """The batches from `start_step` on; leaving the generator stops the readers."""
    iterator = iter(dataset)
    iterator.set_state({"next_index": start_step})
    try:
        yield from iterator
    finally:
        iterator.close()


@dataclasses.dataclass(frozen=True)
class DrawExample(grain.transforms.RandomMap):
    """One photograph to one example, still in bytes: half of them flipped, each with its own hole."""

    holes: HoleSource
    size: int
    flip_pairs: tuple[tuple[int, int], ...]

    def random_map(self, element: Photo, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Adds "hole" bool [S,S]; flips image and labels together."""
        photo = flip(element, self.flip_pairs) if rng.random() < 0.5 else dict(element)
        return photo | {"hole": self.holes.draw(rng, self.size)}


def flip(photo: Photo, flip_pairs: tuple[tuple[int, int], ...]) -> dict[str, np.ndarray]:
    """`photo` mirrored left to right, so that its left labels become right ones.

    Args:
      photo: "image" uint8 [S,S,3] and perhaps "labels" uint8 [S,S].
      flip_pairs: the labels that change places.
    """
    flipped = {name: array[:, ::-1] for name, array in photo.items()}
    if "labels" in flipped:
        swap = np.arange(256, dtype=np.uint8)  # [256], old label -> new label
        for left, right in flip_pairs:
            swap[left], swap[right] = right, left
        flipped["labels"] = swap[flipped["labels"]]
    return flipped


def to_example(batch: Mapping[str, np.ndarray]) -> Example:
    """A batch of bytes, "image" [b,S,S,3], "hole" [b,S,S] and perhaps "labels" [b,S,S], in the toolkit's types."""
    arrays: dict[str, Any] = {  # NumPy's, until the step takes them to its devices
        "image": batch["image"].astype(np.float32) / np.float32(255),  # [b,S,S,3]
        "known": (~batch["hole"])[..., None].astype(np.float32),  # [b,S,S,1]
        "labels": batch["labels"].astype(np.int32) if "labels" in batch else None,  # [b,S,S]
    }
    return Example(**arrays)
