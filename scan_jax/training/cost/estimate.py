"""What a step needs of each device, by its compiled program: memory, operations, traffic. Nothing is trained."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import jax

from scan_jax.core.errors import UserError
from scan_jax.methods.api import Trees
from scan_jax.training import sharding
from scan_jax.training.cost import collectives, matrix_flops
from scan_jax.training.cost.collectives import Collective
from scan_jax.training.cost.matrix_flops import MatrixFlops
from scan_jax.training.setup import Trainer

KNOBS = (
    "lower training.batch_size, take it in parts (training.accumulate=2), keep less (training.remat=activations), set "
    "method.compute_dtype=bfloat16, or split parameters (training.fsdp and .sharding)"
)
GIB = 2.0**30


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One training step.

    Attributes:
      mesh: devices by axis.
      batch_size: over all devices.
      held: bytes on each device of what outlives the step, by part: from shapes and shardings.
      padding: bytes that the device's layouts add to that.
      temporary: bytes on each device within the step: activations, gradients, and whatever is not done in place.
      program: bytes on each device of its code.
      flops: of matrix products and convolutions, of the whole step.
      program_flops: of all operations, on each device, as XLA counts them: the body of a loop once. Where a batch is
        taken in parts, that loop is nearly the whole step, and this, `accessed` and `collectives` are so many times it.
      accessed: bytes that each device reads and writes in its memory, as XLA counts them.
      collectives: what the devices send each other; gradients with each part.
      seconds: that tracing and compiling took.
    """

    mesh: Mapping[str, int]
    batch_size: int
    held: Mapping[str, int]
    padding: int
    temporary: int
    program: int
    flops: MatrixFlops
    program_flops: float
    accessed: float
    collectives: tuple[Collective, ...]
    seconds: float

    @property
    def devices(self) -> int:
        """How many take part."""
        return math.prod(self.mesh.values())

    @property
    def memory(self) -> int:
        """Bytes that a step needs on each device."""
        return sum(self.held.values()) + self.padding + self.temporary + self.program


def estimate(trainer: Trainer, frozen: Trees) -> Estimate:
    """Compiles the step of `trainer`, perhaps for devices that are not there.

    Args:
      trainer: whose step is compiled.
      frozen: the method's `frozen_shapes()`.

    Raises:
      UserError: the compiler finds that it does not fit.
    """
    begun = time.perf_counter()
    traced = trainer.trace(frozen)
    try:
        compiled = traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(f"the step does not fit: {_reason(error)}; {KNOBS}") from error
    seconds = time.perf_counter() - begun
    parts, program = trainer.parts, compiled.as_text()
    memory, cost, held = compiled.memory_analysis(), compiled.cost_analysis(), held_bytes(trainer, frozen)
    arguments = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Estimate(
        dict(trainer.mesh.shape),
        trainer.example.image.shape[0],
        held,
        max(arguments - sum(held.values()), 0),
        memory.temp_size_in_bytes,
        memory.generated_code_size_in_bytes,
        matrix_flops.count(traced.jaxpr),
        parts * cost.get("flops", 0.0),
        parts * cost.get("bytes accessed", 0.0),
        tuple(each.times(parts) for each in collectives.find(program, trainer.mesh.size)),
        seconds,
    )


def held_bytes(trainer: Trainer, frozen: Trees) -> dict[str, int]:
    """Bytes on each device of the state, the frozen weights and a batch, by part."""
    shapes, places = trainer.shapes, trainer.shardings
    everywhere, split = sharding.replicated(trainer.mesh), sharding.batched(trainer.mesh)
    return {
        "parameters": _bytes(shapes.params, places.params),
        "optimiser": _bytes(shapes.opt, places.opt),
        "moving average": _bytes(shapes.ema, places.ema),
        "statistics": _bytes(shapes.stats, places.stats),
        "frozen weights": _bytes(frozen, jax.tree.map(lambda _: everywhere, frozen)),
        "batch": _bytes(trainer.example, jax.tree.map(lambda _: split, trainer.example)),
    }


def _bytes(shapes: Any, places: Any) -> int:
    """Of a tree of shapes, on one device."""
    sizes = jax.tree.map(
        lambda leaf, place: math.prod(place.shard_shape(leaf.shape)) * leaf.dtype.itemsize, shapes, places
    )
    return sum(jax.tree.leaves(sizes))


def _reason(error: Exception) -> str:
    """The sentence of XLA's message that has the sizes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = next((line for line in lines if "exceed" in line.lower() or "Used " in line), lines[0])
    return telling[:200].rstrip(".")


def require_fit(found: Estimate, memory: float, device: str) -> None:
    """Refuses a step that needs more than a device has.

    Args:
      found: the step's.
      memory: bytes that a device has.
      device: its name, for the message.

    Raises:
      UserError: it does not fit; it names what can be changed.
    """
    if found.memory > memory:
        needs, has = found.memory / GIB, memory / GIB
        raise UserError(f"a step needs {needs:.2f} GiB of each device, but {device} has {has:.2f} GiB; {KNOBS}")


def table(found: Estimate) -> str:
    """The estimate for people."""
    lines = [
        f"mesh: {' x '.join(f'{name} {size}' for name, size in found.mesh.items())} = {found.devices} devices, "
        f"batch {found.batch_size} ({found.batch_size // found.devices} on each)",
        f"traced and compiled in {found.seconds:.1f} s",
        "",
        "memory of each device, MiB",
    ]
    parts = {**found.held, "layouts' padding": found.padding, "temporary": found.temporary, "program": found.program}
    lines += [f"  {name:<18}{size / 2**20:>12,.1f}" for name, size in {**parts, "total": found.memory}.items()]
    loops = f"; {found.flops.open_loops} loops of unknown length count as one turn" if found.flops.open_loops else ""
    lines += [
        "",
        f"operations: {found.flops.total / 1e12:.4g} TFLOP of matrix products in a whole step{loops}",
        f"            {found.program_flops / 1e12:.4g} TFLOP of all kinds on each device (XLA's count)",
        f"memory traffic: {found.accessed / 1e9:.4g} GB on each device (XLA's count)",
        "",
        "collectives of a step",
    ]
    lines += [
        f"  {each.kind:<20}{each.count:>5} over {each.group:>4} devices, {each.bytes / 1e6:>10,.2f} MB, "
        f"{each.sent / 1e6:>10,.2f} MB sent by each"
        for each in found.collectives
    ] or ["  none"]
    return "\n".join(lines)
