"""Operations of a program's matrix products and convolutions, counted before any compiler sees it.

What a utilisation is measured by (MFU, Chowdhery et al. 2022, appendix B): the same on every platform and any number of
devices. A loop's body counts as often as it runs, which XLA's own count leaves out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters import partial_eval


@dataclasses.dataclass(frozen=True)
class MatrixFlops:
    """A multiplication and an addition are two.

    Attributes:
      default: at the default precision.
      highest: at `lax.Precision.HIGHEST`.
      open_loops: loops of unknown length around such operations; each counts as one turn.
    """

    default: float = 0.0
    highest: float = 0.0
    open_loops: int = 0

    @property
    def total(self) -> float:
        """All of them."""
        return self.default + self.highest

    def __add__(self, other: MatrixFlops) -> MatrixFlops:
        """Of two programs, one after the other."""
        return MatrixFlops(
            self.default + other.default, self.highest + other.highest, self.open_loops + other.open_loops
        )

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
    """All of its operations."""
    program = program.jaxpr if isinstance(program, ClosedJaxpr) else program
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
