"""Drawn portraits with the 19 classes of CelebAMask-HQ: data that need no download."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import partial
from typing import Annotated

from scan_jax.core.bounds import Many, Range
from scan_jax.data.api import DataSplits, Photo, PhotoSource
from scan_jax.data.split_list import SplitList

FLIP_PAIRS = ((4, 5), (6, 7), (8, 9))  # eyes, brows, ears


@dataclasses.dataclass(frozen=True)
class SyntheticPortraits:
    """`config.data` of synthetic portraits."""

    size: Annotated[int, Range(16, 2**16)]  # height and width, pixels
    count: Many = 2000  # portraits to train with
    held_out: Many = 200  # portraits to measure on, none of them among those
    seed: int = 0  # another seed, other portraits

    def open_splits(self) -> DataSplits:
        """Portraits for both splits, drawn when first asked for."""
        split = portrait_split(self.count, self.held_out)
        train, held_out = range(self.held_out, self.held_out + self.count), range(self.held_out)
        return DataSplits(*(portraits(self.seed, numbers, self.size, split.title) for numbers in (train, held_out)))


def portrait_split(count: int, held_out: int) -> SplitList:
    """Who is where, by number: those to measure on come first, so that a larger count leaves them as they are."""
    numbers = tuple(map(str, range(held_out + count)))
    return SplitList("held_out_first", {"train": numbers[held_out:], "test": numbers[:held_out]})


def portraits(seed: int, numbers: range, size: int, split: str = "") -> PhotoSource:
    """A source that draws a portrait when it is first asked for, and keeps it.

    Drawing (5 ms at 64x64) then hides behind compilation and the first epoch's steps; no second process is needed.
    """
    return PhotoSource(
        f"synthetic portraits {numbers.start}-{numbers.stop - 1} of seed {seed}{split and ', '}{split}",
        hashlib.sha256(f"synthetic portraits {seed} {numbers} {size}".encode()).hexdigest(),
        numbers,
        partial(draw, seed, size),
        "portrait {}".format,
        FLIP_PAIRS,
        num_labels=19,
    )


def draw(seed: int, size: int, number: int) -> Photo:
    """A portrait: "image" uint8 [S,S,3] and "labels" uint8 [S,S], 0 to 18."""
    from scan_jax.data.portraits import portrait  # heavy to import, and nobody else needs it

    image, labels = portrait(seed, number, size)  # [S,S,3], [S,S]
    return {"image": image, "labels": labels}
