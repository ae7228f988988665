"""Drawn portraits with the 19 classes of CelebAMask-HQ: data that need no download."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.data.api import DataSplits, Photo
from scan_jax.data.pipeline import PhotoMemory
from scan_jax.data.split_list import SplitList, split_of

Portrait = Callable[[int, int, int], tuple[np.ndarray, np.ndarray]]  # (seed, index, size) -> uint8 [S,S,3], uint8 [S,S]


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of synthetic portraits.

    Attributes:
      size: height and width, pixels.
      count: portraits to train with.
      held_out: portraits to measure on, none of them among those.
      seed: another seed, other portraits.
    """

    size: int
    count: int = 2000
    held_out: int = 200
    seed: int = 0


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """Portraits for both splits, drawn when they are first asked for.

    Raises:
      UserError: a setting makes no sense.
    """
    # The drawing is heavy to import, and nobody else needs it.
    from scan_jax.data.portraits import portrait

    settings = bind(section, Settings, "config.data")
    if min(settings.size, settings.count, settings.held_out) <= 0 or settings.seed < 0:
        raise UserError(f"config.data: size, count and held_out must be positive and seed not negative, not {settings}")
    # Held-out portraits come first, so that a larger `count` leaves them as they are.
    held_out = range(settings.held_out)
    train = range(settings.held_out, settings.held_out + settings.count)
    title = portrait_split(train, held_out).title
    return DataSplits(
        train=SyntheticPortraits(portrait, settings.seed, train, settings.size, title),
        held_out=SyntheticPortraits(portrait, settings.seed, held_out, settings.size, title),
    )


def portrait_split(train: range, held_out: range) -> SplitList:
    """Who is where, by the portraits' numbers."""
    return split_of("held_out_first", train=map(str, train), test=map(str, held_out))


class SyntheticPortraits:
    """A `PhotoSource` that draws a portrait when it is first asked for, and keeps it.

    Drawing (5 ms at 64x64) then hides behind compilation and the first epoch's steps; no second process is needed.
    """

    flip_pairs: tuple[tuple[int, int], ...] = ((4, 5), (6, 7), (8, 9))  # eyes, brows, ears
    num_labels = 19

    def __init__(self, portrait: Portrait, seed: int, indices: range, size: int, split: str = "") -> None:
        self.name = f"synthetic portraits {indices.start}-{indices.stop - 1} of seed {seed}{split and ', '}{split}"
        self.digest = hashlib.sha256(f"synthetic portraits {seed} {indices} {size}".encode()).hexdigest()
        self._portrait = portrait
        self._seed, self._indices, self._size = seed, indices, size
        self._memory = PhotoMemory(self._draw)

    def __len__(self) -> int:
        return len(self._indices)

    def title(self, index: int) -> str:
        """The portrait's number."""
        return f"portrait {self._indices[index]}"

    def __getitem__(self, index: int) -> Photo:
        """Portrait `index`: "image" uint8 [S,S,3] and "labels" uint8 [S,S], 0 to 18."""
        return self._memory[index]

    def _draw(self, index: int) -> Photo:
        image, labels = self._portrait(self._seed, self._indices[index], self._size)  # [S,S,3], [S,S]
        return {"image": image, "labels": labels}
