"""On which platform JAX computes: chosen before it is imported, and looked for when it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from scan_jax.core.errors import UserError

PLATFORMS = ("cpu", "gpu", "tpu")
_chosen = ""  # by the newest command line of this process


def choose(platform: str) -> None:
    """One of `PLATFORMS`, whatever JAX_PLATFORMS says; with "" it is as JAX has it. Starts nothing."""
    global _chosen
    _chosen = platform
    if not platform:
        return
    # JAX's own names are of makers, and it is silent where a GPU that was named is not there: it takes the best
    # there is, and `require_chosen` looks what that was.
    wanted = "cpu" if platform == "cpu" else ""
    os.environ["JAX_PLATFORMS"] = wanted
    if "jax" in sys.modules:  # which has read the environment
        sys.modules["jax"].config.update("jax_platforms", wanted)


def compiler_options(devices: Sequence[Any]) -> dict[str, str]:
    """Of `jax.jit`, for a program of these devices.

    By itself XLA's compiler for CPUs puts all that follows from the weights alone, such as kernels in the form that a
    convolution wants, at the beginning, and holds it until its layer comes (findings/): the 18 blocks of LaMa's
    generator at 512x512 take 706 MiB that way and 130 by the order that holds the least, with the same bits
    (`benchmarks.public_fillers`). XLA_FLAGS that name an order are left alone, and so are several devices of one CPU,
    as tests have them, which wait for each other.
    """
    flag = "xla_cpu_scheduler_type"
    if (
        {device.platform for device in devices} != {"cpu"}
        or len(devices) > 1
        or flag in os.environ.get("XLA_FLAGS", "")
    ):
        return {}
    return {flag: "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


def sharing(batch: int) -> int:
    """How many devices share a batch of that size in the mesh that is traced for: 1 outside of one, or if unequally."""
    import jax

    count = max(1, jax.sharding.get_abstract_mesh().size)
    return count if batch % count == 0 else 1


def require_chosen() -> None:
    """Starts JAX where a platform was chosen; a UserError that names those there are where it is none of them."""
    if not _chosen:
        return
    import jax

    if jax.default_backend() != _chosen:
        there = " and ".join(sorted({jax.default_backend(), "cpu"}))
        cure = "leave the flag out, or let `python -m scan_jax doctor` say why"
        raise UserError(f"--device={_chosen}: JAX has no {_chosen} here, only {there}; {cure}")
