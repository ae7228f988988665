"""Photographs kept once they are made, so that later epochs cost nothing."""

from __future__ import annotations

from collections.abc import Callable

from scan_jax.data.api import Photo

MOST_BYTES = 2**30  # 87,000 photographs at 64x64, 5,400 at 256x256


class PhotoMemory:
    """Photographs by index, up to a number of bytes; beyond that they are made anew each time.

    It needs no lock: two threads that ask for the same photograph at once both make it, to the same pixels. Each worker
    process has a memory of its own, empty at first.
    """

    def __init__(self, make: Callable[[int], Photo], most_bytes: int = MOST_BYTES) -> None:
        self._make = make
        self._most = self._room = most_bytes
        self._photos: dict[int, Photo] = {}

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`, its arrays read-only."""
        photo = self._photos.get(index)
        if photo is not None:
            return photo
        photo = self._make(index)
        for array in photo.values():
            array.flags.writeable = False
        size = sum(array.nbytes for array in photo.values())
        if size <= self._room:
            self._room -= size
            self._photos[index] = photo
        return photo

    def __reduce__(self) -> tuple[Callable[..., PhotoMemory], tuple[object, ...]]:
        """Another process is told how photographs are made, not sent the ones that this process keeps."""
        return PhotoMemory, (self._make, self._most)
