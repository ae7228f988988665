"""What a source of photographs is, and which there are.

A source is the dataclass of its config section, with `open_splits()`, which returns `DataSplits`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from scan_jax.core import registry
from scan_jax.core.errors import UserError

SOURCES = {  # `config.data.name`
    "celeba_hq": "scan_jax.data.prepared:CelebaHq",
    "celebamask_hq": "scan_jax.data.prepared:CelebaMaskHq",
    "labelled_folder": "scan_jax.data.labelled_folder:LabelledFolder",
    "paris_street_view": "scan_jax.data.prepared:ParisStreetView",
    "photo_folder": "scan_jax.data.photo_folder:PhotoFolder",
    "prepared": "scan_jax.data.prepared:Prepared",
    "synthetic_portraits": "scan_jax.data.synthetic_portraits:SyntheticPortraits",
}
MAX_BYTES = 2**30  # 87,000 photographs at 64x64, 5,400 at 256x256
Photo = Mapping[str, np.ndarray]  # "image" uint8 [H,W,3] and, where the source has them, "labels" uint8 [H,W]


class PhotoSource:
    """Photographs by index, read when they are asked for; they stay in memory while there is room.

    They are squares of one size where something is measured on them; those to train with may be of any. `digest` is the
    SHA-256 (hex) of what they are made of: the same digest, the same photographs in the same order. `flip_pairs` are
    the labels that change places when a photograph is flipped, such as left and right eye; labels are from 0 to one
    less than `num_labels`, which is 0 where photographs have none.

    Threads may share it without a lock: two that ask for the same photograph at once both read it, to the same pixels.
    Each worker process has a memory of its own, empty at first.
    """

    def __init__(
        self,
        name: str,
        digest: str,
        things: Sequence[Any],
        read: Callable[[Any], Photo],
        title: Callable[[Any], str] = operator.attrgetter("name"),
        flip_pairs: tuple[tuple[int, int], ...] = (),
        num_labels: int = 0,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Of one photograph for each of `things`, which has that title; `read` must be safe in several threads."""
        self.name, self.digest, self.flip_pairs, self.num_labels = name, digest, flip_pairs, num_labels
        self._things, self._read, self._title = things, read, title
        self._max_bytes = self._room = max_bytes
        self._photos: dict[int, Photo] = {}

    def __len__(self) -> int:
        return len(self._things)

    def title(self, index: int) -> str:
        """What people call photograph `index`, such as its file's name."""
        return self._title(self._things[index])

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`, its arrays read-only."""
        if index in self._photos:
            return self._photos[index]
        photo = self._read(self._things[index])
        for array in photo.values():
            array.flags.writeable = False
        size = sum(array.nbytes for array in photo.values())
        if size <= self._room:
            self._room -= size
            self._photos[index] = photo
        return photo

    def __getstate__(self) -> dict[str, Any]:
        """Another process is told how photographs are read, not sent the ones that this process keeps."""
        return self.__dict__ | {"_photos": {}, "_room": self._max_bytes}


class DataSplits(NamedTuple):
    """Photographs to train with, and photographs that training never sees."""

    train: PhotoSource
    held_out: PhotoSource


def open_data(section: Mapping[str, Any]) -> DataSplits:
    """The photographs of a config's `data` section; a UserError where no source has its name, or the source refuses."""
    return registry.bind_named(SOURCES, section, "config.data").open_splits()


def agree_on_labels(splits: DataSplits, num_labels: int) -> DataSplits:
    """The photographs with labels of `num_labels` classes, or for 0 without; a UserError where they lack such ones."""
    if num_labels == 0:
        return DataSplits(without_labels(splits.train), without_labels(splits.held_out))
    for source in (splits.train, splits.held_out):
        if source.num_labels == 0:
            raise UserError(
                f"the method needs labels of {num_labels} classes, but {source.name} has none; choose "
                "--config.data.name=labelled_folder (photographs with label maps) or synthetic_portraits"
            )
        if source.num_labels != num_labels:
            raise UserError(
                f"config.method.num_labels is {num_labels}, but {source.name} has {source.num_labels} classes; "
                "make them equal"
            )
    return splits


def without_labels(source: PhotoSource) -> PhotoSource:
    """The same photographs, digest included, for those who have no use for labels."""
    if not source.num_labels:
        return source
    numbers = range(len(source))
    return PhotoSource(source.name, source.digest, numbers, partial(_image, source), source.title, max_bytes=0)


def _image(source: PhotoSource, index: int) -> Photo:
    """Photograph `index`, "image" alone."""
    return {"image": source[index]["image"]}
