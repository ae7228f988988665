"""What a config's training would need and could reach, from its compiled step: no data, no weights, nothing written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import jax

from scan_jax.core.config import Config
from scan_jax.core.distributed import is_first
from scan_jax.methods.api import build_method
from scan_jax.training.cost import accelerators, roofline
from scan_jax.training.cost.accelerators import Accelerator, Precision
from scan_jax.training.cost.estimate import GIB, Estimate, estimate, require_fit, table
from scan_jax.training.trainer import Trainer


def run(config: Config) -> None:
    """Prints the estimate for the devices that there are; a UserError where a step needs more memory than they have."""
    devices = jax.devices()
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
