"""How fast a step could be at best: its operations and bytes over the rates that the makers state.

A roofline (Williams et al. 2009) with a third roof for the links. It leaves out everything else that takes time, the
input pipeline and the host among it, so it is no forecast. It is a bound only of the program that was compiled: at
another level of optimisation it reads and writes more or less.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from scan_jax.training.cost.accelerators import Accelerator, Network, Precision

if TYPE_CHECKING:
    from scan_jax.training.cost.estimate import Estimate  # which imports this module


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds of a step."""

    compute: float  # matrix products and convolutions at their peak rate, evenly shared
    memory: float  # the device's memory traffic at its peak rate
    network: float  # the collectives one after the other, at the links' rate and latency; NaN where they are unknown
    peak: float  # operations a second of all devices together, what a utilisation is a share of

    @property
    def alone(self) -> float:
        """On one device with the same share of the batch."""
        return max(self.compute, self.memory)

    @property
    def shortest(self) -> float:
        """If all communication goes on behind the computation."""
        return max(self.alone, self.network)

    @property
    def longest(self) -> float:
        """If none does."""
        return self.alone + self.network

    @property
    def efficiency(self) -> tuple[float, float]:
        """Of scaling at a fixed batch a device: the time alone over the longest and the shortest time."""
        return self.alone / self.longest, self.alone / self.shortest


def roofline(found: Estimate, accelerator: Accelerator, network: Network, dtype: Precision) -> Roofline:
    """The bounds of a step; `dtype` is that of convolutions and products that ask for no higher precision."""
    peak, devices = accelerator.flops[dtype], found.devices
    compute = (found.flops.default / peak + found.flops.highest / accelerator.flops["highest"]) / devices
    collectives = found.collectives or ()
    sent = sum(each.sent for each in collectives) / network.bandwidth if found.collectives is not None else math.nan
    # Two passes, as an all-reduce is a reduction and a broadcast.
    waited = sum(2 * each.count for each in collectives if each.group > 1) * network.latency
    return Roofline(compute, found.accessed / accelerator.bandwidth, sent + waited, peak * devices)


def table(bound: Roofline, accelerator: Accelerator, network: Network, batch_size: int) -> str:
    """The bounds for people, with what they stand on."""
    worst, best = bound.efficiency
    lines = [
        f"roofline on {accelerator.name}: {bound.peak / 1e12:,.0f} TFLOP/s in all (the denominator of MFU), "
        f"memory {accelerator.bandwidth / 1e9:,.0f} GB/s each, links {network.bandwidth / 1e9:,.0f} GB/s and "
        f"{network.latency * 1e6:.0f} us each",
        f"  matrix products      {bound.compute * 1e3:>10.3f} ms",
        f"  memory               {bound.memory * 1e3:>10.3f} ms",
        f"  collectives          {bound.network * 1e3:>10.3f} ms",
        f"  step                 {bound.shortest * 1e3:>10.3f} ms if communication is hidden, "
        f"{bound.longest * 1e3:.3f} ms if not: at most {batch_size / bound.shortest:,.0f} images/s",
        f"  scaling efficiency   {worst:>10.1%} to {best:.1%} of one device's speed at the same batch for each",
    ]
    return "\n".join(lines[:3] if math.isnan(bound.network) else lines)


KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# `%name = SHAPE all-reduce(...)`; an asynchronous one is told by its start, its `-done` is not a second one.
_OPERATION = re.compile(rf"= (?P<shape>.+?) (?P<kind>{'|'.join(KINDS)})(?P<start>-start)?\(")
_ARRAY = re.compile(r"(?P<type>pred|[a-z]+[0-9]+(?:e\d\w*)?)\[(?P<sides>[0-9,]*)\]")
_GROUP_LIST = re.compile(r"replica_groups=\{\{(?P<first>[0-9,]*)\}")
_GROUP_SHAPE = re.compile(r"replica_groups=\[\d+,(?P<size>\d+)\]")
# mesh['data'=4,'fsdp'=2] {'fsdp'}, with the devices' order between, or a part of an axis, {'data':(2)2}: of two.
_GROUP_MESH = re.compile(r"replica_groups=mesh\[(?P<mesh>[^\]]*)\].*? \{(?P<axes>[^}]*)\}")
_AXIS = re.compile(r"'(?P<name>[^']*)'(?:=|:\(\d+\))?(?P<size>\d*)")


@dataclasses.dataclass(frozen=True)
class Collective:
    """All operations of one kind and one group size in a program; inside a loop each counts once."""

    kind: str  # as XLA calls it
    group: int  # devices that take part in each
    count: int  # operations in a step
    # Bytes of each array that they combine, whole, in a step; an operation can take several at once
    arrays: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of all arrays."""
        return sum(self.arrays)

    @property
    def sent(self) -> float:
        """Bytes that one device sends in a step, by the algorithms of least traffic (rings)."""
        share = (self.group - 1) / self.group
        return {"all-reduce": 2 * share, "collective-permute": 1.0}.get(self.kind, share) * self.bytes

    def times(self, number: int) -> Collective:
        """So many of it."""
        return dataclasses.replace(self, count=number * self.count, arrays=number * self.arrays)


def find(program: str, devices: int) -> tuple[Collective, ...]:
    """The collectives of a program's text, `compiled.as_text()`, which so many devices run."""
    payloads: defaultdict[tuple[str, int], list[list[int]]] = defaultdict(list)
    for line in program.splitlines():
        if found := _OPERATION.search(line):
            kind, group = found["kind"], _group(line, devices)
            payloads[kind, group].append(_payload(found["shape"], kind, bool(found["start"]), group))
    return tuple(Collective(*key, len(each), tuple(chain(*each))) for key, each in sorted(payloads.items()))


def _payload(shape: str, kind: str, starts: bool, group: int) -> list[int]:
    """Bytes of each whole array: a reduce-scatter's result is one part of it."""
    arrays = [_bytes(found["type"], found["sides"]) for found in _ARRAY.finditer(shape)]
    if starts and kind != "all-reduce":  # (operands, results, and perhaps counters of four bytes)
        arrays = [size for size in arrays if size > 4] or arrays
        arrays = arrays[len(arrays) // 2 :]
    return [size * (group if kind == "reduce-scatter" else 1) for size in arrays]


def _bytes(kind: str, sides: str) -> int:
    """Of one array, such as "bf16" and "8,128"."""
    bits = 8 if kind == "pred" else int(re.findall(r"\d+", kind)[0])
    return math.prod(int(side) for side in sides.split(",") if side) * max(bits, 8) // 8


def _group(line: str, devices: int) -> int:
    """How many take part in an operation; all where it names none."""
    if shaped := _GROUP_SHAPE.search(line):
        return int(shaped["size"])
    if meshed := _GROUP_MESH.search(line):
        sides = {axis["name"]: int(axis["size"]) for axis in _AXIS.finditer(meshed["mesh"])}
        return math.prod(int(axis["size"] or sides[axis["name"]]) for axis in _AXIS.finditer(meshed["axes"]))
    listed = _GROUP_LIST.search(line)
    return len(listed["first"].split(",")) if listed and listed["first"] else devices
