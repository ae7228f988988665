"""What is known of devices: memory that a program may use, peak rates, links between them.

Peaks without sparsity, which are never reached; they are what a utilisation is measured against. Sources:

TPUs: the "key specifications" of docs.cloud.google.com/tpu/docs/v4, /v5e, /v5p, /v6e and /tpu7x, but for v4's links
(its pod's all-reduce bandwidth of 1.1 PB/s over 4,096 chips is 269 GB/s a chip, near six times the 50 entered). Memory
is what libtpu 0.0.42.1 has when it refuses a program as too large. libtpu's own model knows 394 TFLOP/s of a v5p and
996 of half a tpu7x. A clock is the peak over what the matrix units do in a cycle, 2^17 operations in v5e, 2^18 in v4
and v5p, 2^19 in v6e and half a tpu7x: a bfloat16 product of 4,096 sides reaches 90 to 98% of these by libtpu's cycles.

GPUs: A100, H100, H200 and L4 were compared with published specifications, taking half of what is stated "with
sparsity"; T4 was not. Memory as nvidia-smi shows it: thundergolfer.com/blog/nvidia-gpu-memory-capacity. Out of a node:
8 adapters of 200 Gb/s (DGX A100) or 400 (DGX H100, H200); 100 Gb/s in all for L4 and T4 (Compute Engine).
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
NODE = 8  # GPUs that a switch or bus joins, at most


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """One kind of device."""

    name: str  # as in `--chip`
    memory: float  # bytes that a program may use; of a GPU what JAX takes by default
    # Operations a second of matrix products and convolutions. "float32" is JAX's default for float32 arrays (a bfloat16
    # pass on TPUs, TF32 on newer GPUs), "highest" is `lax.Precision.HIGHEST` (six passes on TPUs).
    flops: Mapping[Precision, float]
    bandwidth: float  # of its memory, bytes a second
    link: float  # out of one port, bytes a second
    ports: int  # to other devices; a TPU has two for each axis of its torus
    wraps: int  # an axis of a torus is a ring where its length is a multiple of this, else a line; 0: there is a switch
    latency: float  # of one hop, seconds; an assumption
    clock: float = 0.0  # cycles a second, where the compiler counts cycles
    node_link: float = 0.0  # out of a node of `NODE` GPUs, all of them together, bytes a second


PREALLOCATED = 0.75  # of a GPU's memory is JAX's by default: docs.jax.dev/en/latest/gpu_memory_allocation.html


def _gpu(name: str, gib: float, tflops: tuple[float, float, float], *gbps: float) -> Accelerator:
    """Peaks of bfloat16, TF32 (else float32) and float32; GB/s of memory, to a switch or bus, and out of a node."""
    flops: Any = {precision: rate * 1e12 for precision, rate in zip(get_args(Precision), tflops)}
    memory, link, node_link = (rate * 1e9 for rate in gbps)
    return Accelerator(name, PREALLOCATED * gib * GIB, flops, memory, link, 1, 0, 1e-5, node_link=node_link)


def _tpu(
    name: str, gib: float, tflops: float, gbps: float, link: float, ports: int, wraps: int, ghz: float
) -> Accelerator:
    """Every float32 product is one bfloat16 pass by default, six at the highest precision."""
    alone = _gpu(name, gib / PREALLOCATED, (tflops, tflops, tflops / 6), gbps, link, 0)
    return dataclasses.replace(alone, ports=ports, wraps=wraps, latency=1e-6, clock=ghz * 1e9)


# By a pattern of JAX's `device_kind`. Links: bytes a second in one direction.
KINDS: tuple[tuple[str, Accelerator], ...] = (
    (r"TPU v4$", _tpu("v4", 30.75, 275, 1200, 50, 6, 4, 1.05)),
    (r"TPU v5 ?(lite|e)", _tpu("v5e", 15.75, 197, 819, 50, 4, 16, 1.5)),
    (r"TPU v5p?$", _tpu("v5p", 95.74, 459, 2765, 100, 6, 4, 1.75)),
    (r"TPU v6 ?(lite|e)", _tpu("v6e", 31.25, 918, 1638, 100, 4, 16, 1.75)),
    # Half a chip of 2,307 TFLOP/s and 7,380 GB/s. Both halves use the chip's links, for one copy of what leaves it.
    (r"TPU7x", _tpu("tpu7x", 94.75, 2307 / 2, 7380 / 2, 100, 6, 4, 2.2)),
    (r"A100.*80GB", _gpu("a100-80gb", 80, (312, 156, 19.5), 2039, 300, 200)),
    (r"A100", _gpu("a100", 40, (312, 156, 19.5), 1555, 300, 200)),
    (r"H100 80GB HBM3", _gpu("h100", 79.65, (989, 495, 67), 3350, 450, 400)),
    (r"H200", _gpu("h200", 140.4, (989, 495, 67), 4800, 450, 400)),
    (r"\bL4\b", _gpu("l4", 22.49, (121, 60, 30.3), 300, 32, 12.5)),
    (r"\bT4\b", _gpu("t4", 15, (8.1, 8.1, 8.1), 320, 16, 12.5)),  # neither bfloat16 nor TF32
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


def join(accelerator: Accelerator, sides: Sequence[int], devices: int) -> Network:
    """The network of so many devices; `sides` are those of the torus, in chips, what a switch joins needs none.

    A ring is used both ways round by a collective, a line only one way; an axis of length 1 has no link. Beyond one
    node, what leaves it does so once, by all its adapters together.
    """
    if not accelerator.wraps:
        rate = accelerator.link if devices <= NODE else min(accelerator.link, accelerator.node_link)
        return Network(rate, accelerator.latency)
    axes = [(side, side % accelerator.wraps == 0) for side in sides if side > 1]
    hops = sum(side // 2 if ring else side - 1 for side, ring in axes)
    # Within one tpu7x the halves are joined as if by six links, by its page.
    ports = sum(2 if ring else 1 for _, ring in axes) if axes else accelerator.ports
    return Network(accelerator.link * ports, accelerator.latency * hops)


def torus(devices: Sequence[Any]) -> tuple[int, ...]:
    """The sides of the smallest box around devices that have coordinates; empty for others."""
    places = [getattr(device, "coords", None) or () for device in devices]
    return tuple(max(axis) - min(axis) + 1 for axis in zip(*places))
