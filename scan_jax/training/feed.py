"""Batches on their way to the devices, ahead of the steps that take them."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from scan_jax.core.types import Example

AHEAD = 2  # batches beside the one that a step takes; each is memory on the devices


class Feed(Iterator[Example]):
    """Reads batches and places them in a thread of its own, so that reading and transfer overlap the steps.

    At most `AHEAD` are held. Closing it, or dropping it, ends the thread.
    """

    def __init__(self, batches: Iterator[Example], place: Callable[[Example], Example]) -> None:
        self._batches: Any = batches
        self._read = functools.partial(_read, batches, place)
        self._thread = ThreadPoolExecutor(1, "feed")
        self._coming: collections.deque[Future[Example]] = collections.deque()
        for _ in range(AHEAD):
            self._coming.append(self._thread.submit(self._read))

    @property
    def ready(self) -> bool:
        """Whether the next batch is there, or would be an error or the end, so that `next` would not wait."""
        return not self._coming or self._coming[0].done()

    def __next__(self) -> Example:
        """The next batch, as global arrays.

        Raises:
          StopIteration: there are no more.
          Whatever reading raised.
        """
        if not self._coming:
            raise StopIteration
        batch = self._coming.popleft().result()
        self._coming.append(self._thread.submit(self._read))
        return batch

    def close(self) -> None:
        """Waits for the batch that is being read, then closes the batches, where they can be."""
        self._coming.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if hasattr(self._batches, "close"):
            self._batches.close()


def _read(batches: Iterator[Example], place: Callable[[Example], Example]) -> Example:
    """One batch, placed."""
    return place(next(batches))
