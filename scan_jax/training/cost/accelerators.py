"""What the makers say of their devices: memory, peak rates, links between them.

Peaks without sparsity, which are never reached; they are what a utilisation is measured against. TPUs are as on Google
Cloud's pages ("key specifications"), but for v4's links: its pod's all-reduce bandwidth of 1.1 PB/s over 4,096 chips is
269 GB/s a chip, near six times the 50 entered. A100, H100, H200 and L4 were compared with published specifications,
taking half of what is stated "with sparsity"; T4 was not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

Precision = Literal["bfloat16", "float32", "highest"]
GIB = 2.0**30


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """One kind of device."""

    name: str  # as in `--chip`
    memory: float  # bytes
    # Operations a second of matrix products and convolutions. "float32" is JAX's default for float32 arrays (a bfloat16
    # pass on TPUs, TF32 on newer GPUs), "highest" is `lax.Precision.HIGHEST` (six passes on TPUs).
    flops: Mapping[Precision, float]
    bandwidth: float  # of its memory, bytes a second
    link: float  # out of one port, bytes a second
    ports: int  # to other devices; a TPU has two for each axis of its torus
    wraps: int  # an axis of a torus is a ring where its length is a multiple of this, else a line; 0: there is a switch
    latency: float  # of one hop, seconds; an assumption


def _gpu(name: str, gib: float, tflops: tuple[float, float, float], gbps: float, link: float) -> Accelerator:
    """Peaks of bfloat16, TF32 (float32 where there is none) and float32; one port to a switch or the PCIe bus."""
    rates: Any = {precision: rate * 1e12 for precision, rate in zip(get_args(Precision), tflops)}
    return Accelerator(name, gib * GIB, rates, gbps * 1e9, link * 1e9, 1, 0, 1e-5)


def _tpu(name: str, gib: float, tflops: float, gbps: float, link: float, ports: int, wraps: int) -> Accelerator:
    """Every float32 product is one bfloat16 pass by default, six at the highest precision."""
    alone = _gpu(name, gib, (tflops, tflops, tflops / 6), gbps, link)
    return dataclasses.replace(alone, ports=ports, wraps=wraps, latency=1e-6)


# By a pattern of JAX's `device_kind`. Links: bytes a second in one direction.
KINDS: tuple[tuple[str, Accelerator], ...] = (
    (r"TPU v4", _tpu("v4", 32, 275, 1200, 50, 6, 4)),
    (r"TPU v5 ?(lite|e)", _tpu("v5e", 16, 197, 819, 50, 4, 16)),
    (r"TPU v5p?$", _tpu("v5p", 95, 459, 2765, 100, 6, 4)),
    (r"TPU v6 ?(lite|e)", _tpu("v6e", 32, 918, 1638, 100, 4, 16)),
    (r"A100.*80GB", _gpu("a100-80gb", 80, (312, 156, 19.5), 2039, 300)),
    (r"A100", _gpu("a100", 40, (312, 156, 19.5), 1555, 300)),
    (r"H100 80GB HBM3", _gpu("h100", 80, (989, 495, 67), 3350, 450)),
    (r"H200", _gpu("h200", 141e9 / GIB, (989, 495, 67), 4800, 450)),
    (r"\bL4\b", _gpu("l4", 24, (121, 60, 30.3), 300, 32)),
    (r"\bT4\b", _gpu("t4", 16, (8.1, 8.1, 8.1), 320, 16)),  # neither bfloat16 nor TF32
)


def of_kind(device_kind: str) -> Accelerator | None:
    """What is known of a device by JAX's name for it; None for any other kind, CPUs among them."""
    return next((accelerator for pattern, accelerator in KINDS if re.search(pattern, device_kind)), None)


def named(name: str) -> Accelerator:
    """By our name; a UserError where there is none of that name."""
    known = {accelerator.name: accelerator for _, accelerator in KINDS}
    if name not in known:
        near = did_you_mean(name, known)
        raise UserError(f"no peak rates are known of {name!r}{near}; there are: {', '.join(known)}")
    return known[name]


@dataclasses.dataclass(frozen=True)
class Network:
    """How devices are joined, as far as an estimate needs it."""

    bandwidth: float  # out of one device in a collective over all of them, bytes a second
    latency: float  # of a message to the farthest device, seconds


def join(accelerator: Accelerator, sides: Sequence[int]) -> Network:
    """The network of a slice; `sides` are those of the torus, in chips, whatever is joined by a switch needs none.

    A ring is used both ways round by a collective, a line only one way; an axis of length 1 has no link.
    """
    if not accelerator.wraps:
        return Network(accelerator.link * accelerator.ports, accelerator.latency)
    axes = [(side, side % accelerator.wraps == 0) for side in sides if side > 1]
    hops = sum(side // 2 if ring else side - 1 for side, ring in axes)
    ports = sum(2 if ring else 1 for _, ring in axes)
    return Network(accelerator.link * max(ports, 1), accelerator.latency * hops)


def torus(devices: Sequence[Any]) -> tuple[int, ...]:
    """The sides of the smallest box around devices that have coordinates; empty for others."""
    places = [getattr(device, "coords", None) or () for device in devices]
    return tuple(max(axis) - min(axis) + 1 for axis in zip(*places))
