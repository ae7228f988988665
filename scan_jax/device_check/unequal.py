"""Names the first operation of a program that gives other bits when it is computed again from the same arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

REPEATS = 5
PACKAGE = str(Path(__file__).parents[1])
CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint")  # only call a program


def first_unequal(program: ClosedJaxpr, *given: Any) -> str:
    """Its name, shape and line; empty where none differs. Loops are one operation each.

    The program is compiled once more, to hand out the result of every operation, which takes the memory of all.
    """
    names: list[str] = []

    @jax.jit
    def every_result(*given: Any) -> list[list[Any]]:
        names.clear()
        results: list[list[Any]] = []
        _evaluate(program, list(given), names, results)
        return results

    runs = [[_bits(arrays) for arrays in every_result(*given)] for _ in range(REPEATS)]
    return next((name for name, *each in zip(names, *runs) if any(one != each[0] for one in each)), "")


def _evaluate(program: ClosedJaxpr, given: list[Any], names: list[str], results: list[list[Any]]) -> list[Any]:
    """The program's results; those of its operations, in order, and what these are called are added to the lists."""
    jaxpr = program.jaxpr
    values: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *given)))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        if equation.primitive.name in CALLS:
            found = _evaluate(_called(equation), [read(one) for one in equation.invars], names, results)
        else:
            found = _run(jaxpr, equation, {one: read(one) for one in equation.invars if not isinstance(one, Literal)})
            names.append(_name(equation))
            results.append([_plain(array) for array in found])
        values |= zip(equation.outvars, found)
    return [read(variable) for variable in jaxpr.outvars]


def _called(equation: Any) -> ClosedJaxpr:
    found = next(value for value in equation.params.values() if isinstance(value, ClosedJaxpr | Jaxpr))
    return found if isinstance(found, ClosedJaxpr) else ClosedJaxpr(found, ())


def _run(jaxpr: Jaxpr, equation: Any, given: dict[Any, Any]) -> list[Any]:
    """An operation by itself."""
    parts: Any = {"constvars": [], "invars": list(given), "outvars": equation.outvars, "eqns": [equation]}
    names = jaxpr.debug_info.with_unknown_names()
    alone = jaxpr.replace(**parts, effects=equation.effects, debug_info=names)
    return list(jaxpr_as_fun(ClosedJaxpr(alone, ()))(*given.values()))


def _plain(array: Any) -> Any:
    """Keys as their numbers."""
    return jax.random.key_data(array) if jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key) else array


def _bits(arrays: list[Any]) -> list[bytes]:
    return [np.asarray(array).tobytes() for array in arrays]


def _name(equation: Any) -> str:
    shapes = ", ".join(str(variable.aval.str_short()) for variable in equation.outvars)
    frames = getattr(equation.source_info.traceback, "frames", ())
    ours = (f" at {frame.file_name}:{frame.line_num}" for frame in frames if frame.file_name.startswith(PACKAGE))
    return f"{equation.primitive.name} ({shapes}){next(ours, '')}"
