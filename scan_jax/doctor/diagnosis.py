"""Everything that is found out about a machine, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping

from scan_jax.doctor import advice, backend, hardware, machine, packages, places

# What changes how JAX starts, by the beginning of the name.
VARIABLES = ("JAX_", "XLA_", "TPU_", "LIBTPU_", "CUDA_", "NVIDIA_", "LD_LIBRARY_PATH", "TFDS_DATA_DIR", "SCAN_JAX_")


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What was found; `problems` has one line for each that can be put right, and is empty on a healthy machine."""

    machine: machine.Machine
    hardware: hardware.Hardware
    backend: backend.Backend
    packages: tuple[packages.Package, ...]
    places: tuple[places.Place, ...]
    variables: Mapping[str, str]
    problems: tuple[str, ...]


def examine(time_limit: float) -> Diagnosis:
    """Looks at this machine.

    Args:
      time_limit: in seconds, for JAX to start and to compute.
    """
    computer, accelerators = machine.look(), hardware.look()
    required, unread = _packages(accelerators)
    jax = backend.look(time_limit) if packages.version_of("jax") else None
    folders = places.look(jax.compilations if jax else "")
    problems = (
        *unread,
        *advice.of_packages(required, accelerators),
        *(_of_jax(computer, accelerators, jax) if jax else advice.of_absent_jax(required, accelerators)),
        *advice.of_resources(computer, folders),
    )
    variables = {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)}
    return Diagnosis(computer, accelerators, jax or backend.Backend(), required, folders, variables, problems)


def _of_jax(computer: machine.Machine, accelerators: hardware.Hardware, jax: backend.Backend) -> Iterator[str]:
    yield from advice.of_devices(jax, os.environ)
    yield from advice.of_accelerator(computer, accelerators, jax, os.environ)


def _packages(accelerators: hardware.Hardware) -> tuple[tuple[packages.Package, ...], tuple[str, ...]]:
    """Those that are required, or why that cannot be known."""
    extras = (*packages.CUDA_PLUGINS, *(["tpu"] if accelerators.tpu_signs else []))
    try:
        return packages.look(extras), ()
    except ImportError:
        return (), ("packaging is not installed, so no versions were compared: pip install packaging",)
