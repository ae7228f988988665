"""A function rewritten for exporters that know arithmetic alone: no random numbers, no calls, no platforms.

What does not depend on the arguments is computed at once, random numbers of a fixed key among it; functions that are
called are written out; of forms for several platforms the general one is taken; and indices of gathers are brought
inside the array by arithmetic, as `jax.lax.gather` defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

# Primitives that call a function, and the parameter that holds it.
CALLS = {
    **dict.fromkeys(("jit", "pjit", "checkpoint"), "jaxpr"),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"), "call_jaxpr"),
}
GENERAL_FORM = np.int32(2**31 - 1)  # beyond all platforms: `cond` takes its last branch


class Value(NamedTuple):
    """What a variable stands for.

    Attributes:
      array: itself, or a stand-in that is being traced.
      known: it does not depend on the arguments.
    """

    array: Any
    known: bool


def fold(function: Callable[..., Any], *shapes: Any) -> Callable[..., Any]:
    """`function` of arrays of these shapes, which computes the same.

    Args:
      function: of arrays, with one array as its result.
      shapes: of its arguments, as `jax.make_jaxpr` takes them; none may be symbolic.

    Returns:
      To be traced with arguments of the same shapes.
    """
    closed = jax.make_jaxpr(function)(*shapes)

    def folded(*arguments: Any) -> Any:
        values = [Value(argument, False) for argument in arguments]
        return _evaluate(closed, values)[0].array

    return folded


def _evaluate(closed: core.ClosedJaxpr, arguments: Sequence[Value]) -> list[Value]:
    """The results of a traced function."""
    values: dict[Any, Value] = {}

    def read(variable: Any) -> Value:
        return Value(variable.val, True) if isinstance(variable, core.Literal) else values[variable]

    values.update(zip(closed.jaxpr.constvars, (Value(const, True) for const in closed.consts)))
    values.update(zip(closed.jaxpr.invars, arguments))
    for equation in closed.jaxpr.eqns:
        values.update(zip(equation.outvars, _apply(equation, [read(variable) for variable in equation.invars])))
    return [read(variable) for variable in closed.jaxpr.outvars]


def _apply(equation: core.JaxprEqn, given: list[Value]) -> list[Value]:
    """The results of one operation."""
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        return _evaluate(_closed(params[CALLS[name]]), given)
    if name == "platform_index":
        return [Value(GENERAL_FORM, True)]
    if name == "cond" and given[0].known:
        last = len(params["branches"]) - 1
        return _evaluate(params["branches"][int(np.clip(given[0].array, 0, last))], given[1:])
    arrays = [value.array for value in given]
    if all(value.known for value in given):
        with jax.ensure_compile_time_eval():
            return _results(equation, equation.primitive.bind(*arrays, **params), known=True)
    bind = _gather if name == "gather" else equation.primitive.bind
    return _results(equation, bind(*arrays, **params), known=False)


def _closed(function: Any) -> core.ClosedJaxpr:
    return function if isinstance(function, core.ClosedJaxpr) else core.ClosedJaxpr(function, ())


def _results(equation: core.JaxprEqn, found: Any, *, known: bool) -> list[Value]:
    return [Value(array, known) for array in (found if equation.primitive.multiple_results else [found])]


def _gather(operand: Any, indices: Any, **params: Any) -> Any:
    """`lax.gather` whose indices lie inside; where they did not, and its mode says so, its result is filled."""
    numbers, slices, mode = params["dimension_numbers"], params["slice_sizes"], params["mode"]
    last = [operand.shape[axis] - slices[axis] for axis in numbers.start_index_map]
    highest = jnp.broadcast_to(jnp.asarray(last, indices.dtype), indices.shape)
    inside = jnp.clip(indices, 0, highest)
    found = lax.gather(
        operand, inside, numbers, slices, mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS, indices_are_sorted=False
    )
    if mode != lax.GatherScatterMode.FILL_OR_DROP:
        return found
    valid = jnp.all(indices == inside, axis=-1)
    axes = [axis for axis in range(found.ndim) if axis not in numbers.offset_dims]
    fill = _default_fill(found.dtype) if params["fill_value"] is None else params["fill_value"]
    return jnp.where(lax.broadcast_in_dim(valid, found.shape, axes), found, jnp.asarray(fill, found.dtype))


def _default_fill(dtype: Any) -> Any:
    """As `lax.gather` has it: not a number, or the lowest integer."""
    return np.nan if jnp.issubdtype(dtype, jnp.inexact) else jnp.iinfo(dtype).min
