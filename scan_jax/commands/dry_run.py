"""What a config's training would need and could reach, from its compiled step; nothing is written.

Photographs, holes and weights are opened as training would; those that this machine lacks are only named.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import jax

from scan_jax.commands import inputs
from scan_jax.core.config import Config
from scan_jax.core.distributed import is_first
from scan_jax.core.errors import NotHere
from scan_jax.data.api import agree_on_labels, open_data
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods.api import build_method
from scan_jax.training.cost import accelerators, roofline
from scan_jax.training.cost.accelerators import Accelerator, Precision
from scan_jax.training.cost.estimate import GIB, Estimate, estimate, require_fit, table
from scan_jax.training.trainer import Trainer

log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Prints the estimate for the devices that there are.

    UserError where a step needs more memory than they have, or training would refuse its settings or data.
    """
    devices = jax.devices()
    open_parts(config)
    result = estimate_config(config)
    kind = devices[0].device_kind
    accelerator = accelerators.of_kind(kind)
    memory = device_memory(accelerator)
    if is_first():
        print(f"{len(devices)} x {kind}, {memory / GIB:.2f} GiB each" if memory else f"{len(devices)} x {kind}")
        print(table(result) + "\n")
        print(bounds(result, accelerator, accelerators.torus(devices), config) if accelerator else unknown(kind))
    if memory:
        require_fit(result, memory, kind)


def open_parts(config: Config) -> None:
    """Opens all that training would; a UserError where it is refused, but a warning where this machine lacks it."""
    method = inputs.build_method(config)

    def open_holes_to_measure_on() -> None:
        fixed_set(open_holes(config.holes).held_out, config.size, make_buckets(config.evaluation.edges), per_bucket=1)

    for open_part in (
        method.load_frozen,
        lambda: inputs.open_networks(config, method),
        lambda: agree_on_labels(open_data(config.data), method.num_labels),
        open_holes_to_measure_on,
    ):
        try:
            open_part()
        except NotHere as error:
            log.warning("training needs what is not on this machine: %s", error)


def estimate_config(config: Config, devices: Sequence[Any] | None = None) -> Estimate:
    """Compiles the step of a config, for the devices that there are or for others."""
    method = build_method(config.method)
    trainer = Trainer(method, config.training, config.size, config.seed, devices)
    return estimate(trainer, method.frozen_shapes())


def bounds(result: Estimate, accelerator: Accelerator, sides: Sequence[int], config: Config) -> str:
    """The roofline of a step, for people; `sides` are those of the devices' torus, empty where there is a switch."""
    network = accelerators.join(accelerator, sides, result.devices)
    bound = roofline.roofline(result, accelerator, network, dtype_of(config))
    return roofline.table(bound, accelerator, network, result.batch_size)


def dtype_of(config: Config) -> Precision:
    """Of convolutions and products."""
    dtype: Precision = config.method.get("compute_dtype", "float32")
    return dtype


def unknown(kind: str) -> str:
    """What is printed in a roofline's place."""
    return f"no peak rates are known of {kind!r}, so there is neither a roofline nor a denominator of MFU"


def device_memory(accelerator: Accelerator | None) -> float:
    """Bytes that a program may use on each device: what the runtime gives, else what the maker says; 0 if unknown.

    CPU devices share the host's memory.
    """
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / jax.local_device_count()
    limit = (device.memory_stats() or {}).get("bytes_limit", 0)
    return limit or (accelerator.memory if accelerator else 0.0)
