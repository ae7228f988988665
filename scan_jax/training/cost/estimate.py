"""What a step needs of each device, by its compiled program: memory, operations, traffic. Nothing is trained."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters import partial_eval

from scan_jax.core.errors import UserError, counted
from scan_jax.methods.api import Trees
from scan_jax.training import sharding
from scan_jax.training.cost import roofline
from scan_jax.training.cost.roofline import Collective
from scan_jax.training.trainer import Trainer

KNOBS = (
    "lower training.batch_size, take it in parts (training.accumulate=2), keep less (training.remat=activations), set "
    "method.compute_dtype=bfloat16, or split parameters (training.fsdp and .sharding)"
)
GIB = 2.0**30
UNREADABLE = 'this JAX cannot print what this compiler made; pip install "jax[tpu]" brings the one that belongs to it'


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One training step."""

    mesh: Mapping[str, int]  # devices by axis
    batch_size: int  # over all devices
    held: Mapping[str, int]  # bytes on each device of what outlives the step, by part: from shapes and shardings
    padding: int  # bytes that the device's layouts add to that
    temporary: int  # bytes on each device within the step: activations, gradients, and whatever is not done in place
    program: int  # bytes on each device of its code
    flops: MatrixFlops  # of matrix products and convolutions, of the whole step
    # Of all operations, on each device, as XLA counts them: the body of a loop once. Where a batch is taken in parts,
    # that loop is nearly the whole step, and this, `accessed` and `collectives` are so many times it.
    program_flops: float
    accessed: float  # bytes that each device reads and writes in its memory, as XLA counts them
    # What the devices send each other, gradients with each part; None where the compiled program cannot be printed.
    collectives: tuple[Collective, ...] | None
    text: str  # the compiled program, empty where it cannot be printed
    seconds: float  # that tracing and compiling took

    @property
    def devices(self) -> int:
        """How many take part."""
        return math.prod(self.mesh.values())

    @property
    def memory(self) -> int:
        """Bytes that a step needs on each device."""
        return sum(self.held.values()) + self.padding + self.temporary + self.program


def estimate(trainer: Trainer, frozen: Trees) -> Estimate:
    """As `compile_step` has it."""
    return compile_step(trainer, frozen)[0]


def compile_step(trainer: Trainer, frozen: Trees) -> tuple[Estimate, Any]:
    """Compiles the step of `trainer`, perhaps for devices that are not there, with the method's `frozen_shapes()`.

    What it needs, and itself. UserError where the compiler finds that it does not fit.
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
    parts, program = trainer.settings.accumulate, _text(compiled)
    memory, cost, held = compiled.memory_analysis(), compiled.cost_analysis(), held_bytes(trainer, frozen)
    arguments = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    found = Estimate(
        dict(trainer.mesh.shape),
        trainer.example.image.shape[0],
        held,
        max(arguments - sum(held.values()), 0),
        memory.temp_size_in_bytes,
        memory.generated_code_size_in_bytes,
        count(traced.jaxpr),
        parts * cost.get("flops", 0.0),
        parts * cost.get("bytes accessed", 0.0),
        tuple(each.times(parts) for each in roofline.find(program, trainer.mesh.size)) if program else None,
        program,
        seconds,
    )
    return found, compiled


def _text(compiled: Any) -> str:
    """The program; empty where the compiler is a newer one than JAX can print."""
    try:
        return compiled.as_text() or ""
    except jax.errors.JaxRuntimeError:  # some programs of libtpu 0.0.52 under JAX 0.10.2
        return ""


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
    """Refuses a step that needs more than the `memory` (bytes) of `device`; the UserError names what can be changed."""
    if found.memory > memory:
        needs, has = found.memory / GIB, memory / GIB
        raise UserError(f"a step needs {needs:.2f} GiB of each device, but {device} has {has:.2f} GiB; {KNOBS}")


def table(found: Estimate) -> str:
    """The estimate for people."""
    lines = [
        f"mesh: {' x '.join(f'{name} {size}' for name, size in found.mesh.items())} = "
        f"{counted(found.devices, 'device')}, "
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
    if found.collectives is None:
        return "\n".join([*lines, f"  unknown: {UNREADABLE}"])
    lines += [
        f"  {each.kind:<20}{each.count:>5} over {each.group:>4} devices, {each.bytes / 1e6:>10,.2f} MB, "
        f"{each.sent / 1e6:>10,.2f} MB sent by each"
        for each in found.collectives
    ] or ["  none"]
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class MatrixFlops:
    """A multiplication and an addition are two."""

    default: float = 0.0  # at the default precision
    highest: float = 0.0  # at `lax.Precision.HIGHEST`
    open_loops: int = 0  # loops of unknown length around such operations; each counts as one turn

    @property
    def total(self) -> float:
        """All of them."""
        return self.default + self.highest

    def __add__(self, other: MatrixFlops) -> MatrixFlops:
        """Of two programs, one after the other."""
        loops = self.open_loops + other.open_loops
        return MatrixFlops(self.default + other.default, self.highest + other.highest, loops)

    def times(self, count: int) -> MatrixFlops:
        """Of a loop of known length."""
        return MatrixFlops(self.default * count, self.highest * count, self.open_loops)


def count(program: Jaxpr | ClosedJaxpr) -> MatrixFlops:
    """All that a program does for its results.

    What nobody reads does not count, for no compiler keeps it: a gradient that a backward pass offers but none asks
    for. Of a choice between branches the most expensive one counts; of forms for several platforms, the one for any.
    """
    program = program.jaxpr if isinstance(program, ClosedJaxpr) else program
    needed, _ = partial_eval.dce_jaxpr(program, [True] * len(program.outvars))
    return _count(needed)


def _count(program: Jaxpr | ClosedJaxpr) -> MatrixFlops:
    return sum((_of(equation) for equation in program.eqns), MatrixFlops())


def _of(equation: Any) -> MatrixFlops:
    """One operation, with whatever it calls."""
    name, given = equation.primitive.name, equation.params
    if name == "dot_general":
        return _at(given["precision"], _product(equation))
    if name == "conv_general_dilated":
        return _at(given["precision"], _convolution(equation))
    if given.get("branches_platforms"):
        return _count(given["branches"][-1])
    if name == "cond":
        return max((_count(branch) for branch in given["branches"]), key=lambda found: found.total)
    called = sum((_count(program) for program in _programs(given.values())), MatrixFlops())
    if name == "scan":
        return called.times(given["length"])
    if name == "while" and called.total:
        return called + MatrixFlops(open_loops=1)
    return called


def _at(precision: Any, flops: float) -> MatrixFlops:
    """`precision` is None, one value or one for each operand."""
    values = precision if isinstance(precision, tuple) else (precision,)
    return MatrixFlops(highest=flops) if jax.lax.Precision.HIGHEST in values else MatrixFlops(default=flops)


def _programs(values: Any) -> Iterator[Jaxpr | ClosedJaxpr]:
    """Programs among an operation's parameters."""
    for value in values:
        if isinstance(value, Jaxpr | ClosedJaxpr):
            yield value
        elif isinstance(value, tuple | list):
            yield from _programs(value)


def _product(equation: Any) -> float:
    """2 x outputs x length of the sums."""
    (summed, _), _ = equation.params["dimension_numbers"]
    left, (out,) = equation.invars[0].aval, equation.outvars
    return 2.0 * math.prod(out.aval.shape) * math.prod(left.shape[axis] for axis in summed)


def _convolution(equation: Any) -> float:
    """2 x outputs x taps x input channels, without taps on padding or between dilated pixels."""
    given = equation.params
    numbers = given["dimension_numbers"]
    image, kernel = (variable.aval.shape for variable in equation.invars)
    out = equation.outvars[0].aval.shape
    flops = 2.0 * out[numbers.out_spec[0]] * out[numbers.out_spec[1]] * kernel[numbers.rhs_spec[1]]
    for i, padding in enumerate(given["padding"]):
        flops *= _taps(
            image[numbers.lhs_spec[2 + i]],
            kernel[numbers.rhs_spec[2 + i]],
            out[numbers.out_spec[2 + i]],
            given["window_strides"][i],
            padding[0],
            given["lhs_dilation"][i],
            given["rhs_dilation"][i],
        )
    return flops


def _taps(length: int, taps: int, outputs: int, stride: int, before: int, spread: int, dilation: int) -> int:
    """Pairs of output and tap along one axis that meet a pixel."""
    places = np.arange(outputs)[:, None] * stride + np.arange(taps)[None, :] * dilation - before  # [outputs,taps]
    inside = (places >= 0) & (places <= (length - 1) * spread) & (places % spread == 0)
    return int(inside.sum())
