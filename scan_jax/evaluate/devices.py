"""A batch shared among this process' devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


@dataclasses.dataclass(frozen=True)
class Devices:
    """Those of this process; processes share the work in whole batches.

    Attributes:
      count: of devices.
      share: places a tree of arrays, the batch in front divided among the devices.
      copy: places a tree of arrays on each.
    """

    count: int
    share: Callable[[Any], Any]
    copy: Callable[[Any], Any]

    def whole(self, batch_size: int) -> int:
        """The least batch, not below `batch_size`, that divides among the devices."""
        return -(-batch_size // self.count) * self.count


def local_devices() -> Devices:
    """All of this process."""
    devices = jax.local_devices()
    mesh = Mesh(np.array(devices), ("data",))
    shared, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    return Devices(len(devices), lambda tree: jax.device_put(tree, shared), lambda tree: jax.device_put(tree, whole))
