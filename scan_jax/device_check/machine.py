"""What the check runs on, and the lines for machines on which it cannot."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

from scan_jax.commands import cli
from scan_jax.core.errors import UserError
from scan_jax.doctor import advice, machine, probe
from scan_jax.doctor.machine import Hardware, version_of

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
TAKEN = 0.05  # of a GPU's memory: what nobody may have taken already


def require_device(time_limit: float, chosen: str, *, tiny: bool) -> dict[str, str]:
    """The head of the table: device, driver, versions. JAX is asked in a process that ends again.

    UserError where there is no device and neither `tiny` nor "cpu" as `chosen` was asked for, JAX does not start
    on it, its driver is too old, or another process has taken its memory.
    """
    computer, hardware = machine.find_machine(), machine.find_hardware()
    backend = probe.find_backend(time_limit)
    problems = [*advice.of_devices(backend, os.environ)]
    if chosen != "cpu":
        problems += [*advice.of_accelerator(computer, hardware, backend, os.environ), *_taken(hardware)]
    if problems:
        raise UserError(problems[0])
    if backend.platform == "cpu" and chosen != "cpu" and not tiny:
        raise UserError(
            "there is no device: JAX sees this CPU alone; --tiny runs every part on it, --device=cpu all of them at "
            "their size"
        )
    kind = backend.devices[0].kind
    device = f"{computer.cpus} cores of a CPU" if backend.platform == "cpu" else f"{kind}, 1 of {len(backend.devices)}"
    about = {"device": device, "host": f"{computer.cpus} cores, {platform.system()} {platform.machine()}"}
    if hardware.driver and backend.platform != "cpu":
        about |= {"driver": hardware.driver, "CUDA": hardware.cuda, "runtime": backend.platform_version}
    versions = ", ".join(f"{name} {version_of(name)}" for name in PACKAGES)
    return about | {"versions": f"scan_jax {cli.version()}, Python {computer.python}, {versions}"}


def _taken(hardware: Hardware) -> Iterator[str]:
    """A line for each GPU whose memory another process holds."""
    for number, gpu in enumerate(hardware.gpus):
        if gpu.memory_total is None or gpu.memory_free is None:
            continue
        taken = gpu.memory_total - gpu.memory_free
        if taken > TAKEN * gpu.memory_total:
            whose = "; ".join(machine.memory_holders()) or "a process that nvidia-smi does not name"
            sizes = f"{taken / 2**30:.1f} of {gpu.memory_total / 2**30:.1f} GiB"
            cure = "end it, or choose a free GPU with CUDA_VISIBLE_DEVICES"
            yield f"{sizes} of GPU {number} ({gpu.name}) are taken by {whose}: {cure}"
