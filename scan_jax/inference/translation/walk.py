"""From a function that JAX has traced to an ONNX graph: what does not depend on the arguments is computed at once.

So no random numbers are left (their key is fixed), no loop (each is unrolled) and no choice between platforms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import onnx
from jax.extend import core

from scan_jax.inference.translation.graph import Graph, Tensor, Value
from scan_jax.inference.translation.products import ALL, FORMS

# Primitives that call a function, and the parameter that holds it.
CALLS = {
    **dict.fromkeys(("jit", "pjit", "checkpoint", "remat2"), "jaxpr"),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"), "call_jaxpr"),
}
NEUTRAL = {"mul": 1, "div": 1, "add": 0, "sub": 0}  # what changes nothing, on the right side at least
GENERAL_FORM = np.int32(2**31 - 1)  # beyond all platforms: `cond` takes its last branch
MOST = 256  # rounds of a loop


def translate(
    function: Callable[..., Any], shapes: Sequence[jax.ShapeDtypeStruct], names: Sequence[str], result: str
) -> onnx.ModelProto:
    """The model of a function of arrays whose result is one array.

    Args:
      function: to be traced.
      shapes: of its arguments; none symbolic.
      names: of its arguments, as programs that run the model call them.
      result: likewise, of what comes out.

    Raises:
      NotImplementedError: there is no rule for one of its operations.
    """
    closed, graph = jax.make_jaxpr(function)(*shapes), Graph()
    given = [graph.input(name, each.shape, np.dtype(each.dtype)) for name, each in zip(names, shapes)]
    (found,) = _evaluate(graph, closed, given)
    return graph.model(result, graph.tensor(found))


def _evaluate(graph: Graph, closed: core.ClosedJaxpr, arguments: Sequence[Value]) -> list[Value]:
    """The results of a traced function."""
    values: dict[Any, Value] = {}

    def read(variable: Any) -> Value:
        if isinstance(variable, core.Literal):
            return np.asarray(variable.val, variable.aval.dtype)  # type: ignore[attr-defined]
        return values[variable]

    values.update(zip(closed.jaxpr.constvars, closed.consts))
    values.update(zip(closed.jaxpr.invars, arguments))
    for equation in closed.jaxpr.eqns:
        values.update(zip(equation.outvars, _apply(graph, equation, [read(variable) for variable in equation.invars])))
    return [read(variable) for variable in closed.jaxpr.outvars]


def _apply(graph: Graph, equation: core.JaxprEqn, given: list[Value]) -> list[Value]:
    """The results of one operation."""
    name, params = equation.primitive.name, equation.params
    if name == "platform_index":
        return [GENERAL_FORM]
    if name in CALLS and params.get("name") in FORMS and isinstance(given[0], Tensor):
        return [FORMS[params["name"]](graph, given[0])]
    if name in CALLS:
        return _evaluate(graph, _closed(params[CALLS[name]]), given)
    if name == "cond" and not isinstance(given[0], Tensor):
        last = len(params["branches"]) - 1
        return _evaluate(graph, params["branches"][int(np.clip(given[0], 0, last))], given[1:])
    if not any(isinstance(value, Tensor) for value in given):
        with jax.ensure_compile_time_eval():
            found = equation.primitive.bind(*given, **params)
        return list(found) if equation.primitive.multiple_results else [found]
    if name in LOOPS:
        return LOOPS[name](graph, equation, given)
    if name not in ALL:
        raise NotImplementedError(f"no rule for {name}")
    if (single := _foreseen(name, given)) is not None:
        return [single]
    results = ALL[name](graph, given, equation)
    return results if isinstance(results, list) else [results]


def _closed(function: Any) -> core.ClosedJaxpr:
    return function if isinstance(function, core.ClosedJaxpr) else core.ClosedJaxpr(function, ())


def _foreseen(name: str, given: list[Value]) -> Value | None:
    """What needs no operation: a false part of `and`, a count beyond the most there is, 1 times something."""
    known = [np.asarray(value) for value in given if not isinstance(value, Tensor)]
    if name in ("and", "or") and known and known[0].dtype == bool and np.all(known[0] == (name == "or")):
        return np.full(np.broadcast_shapes(*map(np.shape, given)), name == "or")
    most = given[1].most if name == "lt" and isinstance(given[1], Tensor) else None
    if most is None and known and name in NEUTRAL and np.all(known[0] == NEUTRAL[name]):
        tensor = next(value for value in given if isinstance(value, Tensor))
        others = given[1] is not tensor or name in ("mul", "add")  # 1 / x is not x
        return tensor if others and np.broadcast_shapes(tensor.shape, known[0].shape) == tensor.shape else None
    if most is not None and known and np.all(known[0] >= most):
        return np.zeros(np.broadcast_shapes(*map(np.shape, given)), bool)
    return None


def _scan(graph: Graph, equation: core.JaxprEqn, given: list[Value]) -> list[Value]:
    """Round by round; what each makes is stacked afterwards."""
    params = equation.params
    fixed, carried, length = params["num_consts"], params["num_carry"], params["length"]
    consts, state, rows = given[:fixed], given[fixed : fixed + carried], given[fixed + carried :]
    made = []
    for i in range(length)[:: -1 if params["reverse"] else 1]:
        seen = [_row(graph, value, i) for value in rows]
        found = _evaluate(graph, params["jaxpr"], [*consts, *state, *seen])
        state, each = found[:carried], found[carried:]
        made.append(each)
    ordered = made[::-1] if params["reverse"] else made
    stacks = zip(*ordered) if ordered else [()] * (len(equation.outvars) - carried)
    return [*state, *(_stack(graph, list(parts), variable) for parts, variable in zip(
        stacks, equation.outvars[carried:]))]  # fmt: skip


def _row(graph: Graph, value: Value, i: int) -> Value:
    if not isinstance(value, Tensor):
        return value[i]
    rest = value.shape[1:]
    part = graph.slice(value, (i, *(0,) * len(rest)), (i + 1, *rest), (1,) * len(value.shape))
    return graph.reshape(part, rest)


def _stack(graph: Graph, parts: list[Value], variable: Any) -> Value:
    if not parts:
        return np.zeros(variable.aval.shape, variable.aval.dtype)
    if not any(isinstance(part, Tensor) for part in parts):
        return np.stack([np.asarray(part) for part in parts])
    singles = [graph.reshape(tensor, (1, *tensor.shape)) for tensor in map(graph.tensor, parts)]
    return graph.concatenate(singles, 0)


def _while(graph: Graph, equation: core.JaxprEqn, given: list[Value]) -> list[Value]:
    """Round by round, until its condition is known to be false.

    Where the condition depends on the photograph, a round is computed all the same and taken only while it holds. What
    is known of the state, such as a count of the rounds, goes on; it is worth nothing after the loop.
    """
    params = equation.params
    conditions, bodies = params["cond_nconsts"], params["body_nconsts"]
    of_condition, of_body = given[:conditions], given[conditions : conditions + bodies]
    state, active = given[conditions + bodies :], None  # active: whether all conditions so far held
    for _ in range(MOST):
        (goes_on,) = _evaluate(graph, params["cond_jaxpr"], [*of_condition, *state])
        if not isinstance(goes_on, Tensor):
            if not goes_on:
                return [value if active is None or isinstance(value, Tensor) else None for value in state]
        else:
            active = goes_on if active is None else graph.elementwise("And", [active, goes_on], goes_on.dtype)
        after = _evaluate(graph, params["body_jaxpr"], [*of_body, *state])
        if active is not None:
            after = [_chosen(graph, active, new, old) for new, old in zip(after, state)]
        state = after
    raise NotImplementedError(f"a loop of more than {MOST} rounds, or of nobody knows how many")


def _chosen(graph: Graph, active: Value, new: Value, old: Value) -> Value:
    if new is old or not (isinstance(new, Tensor) or isinstance(old, Tensor)):
        return new
    return graph.choose(active, new, old)


def _linear_solve(graph: Graph, equation: core.JaxprEqn, given: list[Value]) -> list[Value]:
    """By the solver that comes with it."""
    lengths, solve = equation.params["const_lengths"], equation.params["jaxprs"].solve
    before = lengths.matvec + lengths.vecmat
    consts, right = given[before : before + lengths.solve], given[sum(lengths) :]
    return _evaluate(graph, solve, [*consts, *right])


LOOPS = {"scan": _scan, "while": _while, "custom_linear_solve": _linear_solve}
