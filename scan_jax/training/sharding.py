"""Where arrays live: a ("data", "fsdp") mesh, batches over both axes, parameters by a table of regular expressions."""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from scan_jax.core.errors import UserError, counted
from scan_jax.core.types import Example

DATA, FSDP = "data", "fsdp"
Rules = Sequence[tuple[str, str]]  # (pattern of a parameter's path, "replicate" or "fsdp"); the first match counts


def make_mesh(batch_size: int, fsdp: int = 1, devices: Sequence[Any] | None = None, parts: int = 1) -> Mesh:
    """The devices as (devices / fsdp, fsdp); a UserError where they, or the batch and its parts, cannot be divided so.

    `batch_size` is over all devices and taken in `parts`, one after the other; parameters may be split over `fsdp`
    devices. `devices` are by default all that there are; others may be compiled for without being there.
    """
    devices = jax.devices() if devices is None else devices
    count = len(devices)
    if count % fsdp:
        raise UserError(f"training.fsdp = {fsdp} does not divide the {counted(count, 'device')}; choose a divisor")
    if batch_size % count:
        raise UserError(f"training.batch_size = {batch_size} must be a multiple of the {count} devices")
    if batch_size % (count * parts):
        raise UserError(
            f"training.batch_size = {batch_size} must be a multiple of the {count} devices in each of the {parts} "
            "parts that training.accumulate makes"
        )
    return jax.make_mesh((count // fsdp, fsdp), (DATA, FSDP), axis_types=(AxisType.Auto,) * 2, devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh: Mesh) -> NamedSharding:
    """The leading axis over all devices."""
    return NamedSharding(mesh, PartitionSpec((DATA, FSDP)))


def tree_shardings(mesh: Mesh, tree: Any, rules: Rules) -> Any:
    """A sharding for every leaf of `tree` (arrays or shapes), by the first rule that its path matches.

    "fsdp" splits the largest axis that the mesh's axis divides, and replicates where there is none.
    """
    parts = mesh.shape[FSDP]

    def place(path: Any, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        action = next((act for pattern, act in rules if re.search(pattern, name)), "replicate")
        free = [axis for axis, length in enumerate(leaf.shape) if length % parts == 0 and length >= parts]
        if action == "replicate" or not free:
            return replicated(mesh)
        widest = max(free, key=lambda axis: leaf.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*(FSDP if axis == widest else None for axis in range(leaf.ndim))))

    return jax.tree_util.tree_map_with_path(place, tree)


def to_devices(mesh: Mesh, batch: Any) -> Any:
    """This process' part of a batch (a tree of NumPy arrays) as global arrays split over the mesh."""
    sharding = batched(mesh)
    return jax.tree.map(lambda part: jax.make_array_from_process_local_data(sharding, np.asarray(part)), batch)


AHEAD = 2  # batches beside the one that a step takes; each is memory on the devices


class Prefetch(Iterator[Example]):
    """Reads batches and places them in a thread of its own, so that reading and transfer overlap the steps.

    At most `AHEAD` are held. Closing it, or dropping it, ends the thread.
    """

    def __init__(self, batches: Iterator[Example], place: Callable[[Example], Example]) -> None:
        self._batches: Any = batches
        self._read = functools.partial(_read, batches, place)  # without `self`, which the thread would keep alive
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._coming = collections.deque(self._thread.submit(self._read) for _ in range(AHEAD))

    @property
    def ready(self) -> bool:
        """Whether the next batch is there, or would be an error or the end, so that `next` would not wait."""
        return not self._coming or self._coming[0].done()

    def __next__(self) -> Example:
        """The next batch, as global arrays; also raises whatever reading raised."""
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
    return place(next(batches))
