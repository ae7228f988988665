"""JAX's operations on numbers, axes and orders, as ONNX has them.

A rule takes the graph, what is given, and the equation, and returns its results. Of what is given at least one is a
tensor; the rest may be known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from scan_jax.inference.translation.graph import Axes, Graph, Shape, Tensor, Value, natural

Rule = Callable[[Graph, list[Value], Any], "Value | list[Value]"]
BITS = 2**32  # numbers of uint32
LONGEST = 512  # numbers that are added one by one, as onnxruntime does; sums of more are split

NAMES = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "pow": "Pow",
    "neg": "Neg",
    "abs": "Abs",
    "sign": "Sign",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
    "sin": "Sin",
    "cos": "Cos",
    "erf": "Erf",
    "logistic": "Sigmoid",
    "floor": "Floor",
    "ceil": "Ceil",
    "eq": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "round": "Round",
}
LOGICAL = {"and": "And", "or": "Or", "not": "Not", "max": "Or", "min": "And"}  # of bool
SAME = ("stop_gradient", "copy", "copy_p", "optimization_barrier", "reduce_precision")


def out(equation: Any) -> Any:
    """Shape and type of the first result."""
    return equation.outvars[0].aval


def named(graph: Graph, given: list[Value], equation: Any) -> Value:
    """What ONNX has under another name."""
    name, dtype = equation.primitive.name, out(equation).dtype
    of_bools = np.dtype(given[0].dtype) == bool
    if name in LOGICAL and (of_bools or name in ("and", "or", "not")):
        if not of_bools:
            raise NotImplementedError(f"{name} of {given[0].dtype}")
        return graph.elementwise(LOGICAL[name], given, dtype)
    if np.dtype(dtype).kind in "iu" and name == "pow":
        raise NotImplementedError("powers of integers")
    result = _wrapped(graph, graph.elementwise(NAMES[name], given, dtype))
    if name == "min" and result.dtype.kind == "i":
        known = [int(np.max(value)) for value in given if not isinstance(value, Tensor)]
        result = dataclasses.replace(result, most=min(known, default=None))
    return result


def _wrapped(graph: Graph, tensor: Tensor) -> Tensor:
    """Unsigned numbers begin at 0 again beyond the last; they are int64 in the graph."""
    if tensor.dtype.kind != "u":
        return tensor
    bits = np.broadcast_to(np.array(2 ** (8 * tensor.dtype.itemsize), np.int64), tensor.shape)
    return graph.elementwise("Mod", [tensor, bits], tensor.dtype)


def same(graph: Graph, given: list[Value], equation: Any) -> list[Value]:
    """Nothing."""
    return given


def composed(graph: Graph, given: list[Value], equation: Any) -> Value:
    """What takes several operations."""
    x, dtype = given[0], np.dtype(out(equation).dtype)

    def one(kind: str, *values: Value) -> Tensor:
        return graph.elementwise(kind, values, dtype)

    def fixed(number: float) -> np.ndarray:
        return np.broadcast_to(np.array(number, dtype), out(equation).shape)

    match equation.primitive.name:
        case "square":
            return _wrapped(graph, one("Mul", x, x))
        case "rsqrt":
            return one("Reciprocal", one("Sqrt", x))
        case "expm1":
            return one("Sub", one("Exp", x), fixed(1))
        case "log1p":
            return one("Log", one("Add", x, fixed(1)))
        case "ne":
            return one("Not", one("Equal", *given))
        case "is_finite":
            return one("Less", graph.elementwise("Abs", [x], x.dtype), np.broadcast_to(np.float32(np.inf), x.shape))
        case "integer_pow":
            power = fixed(equation.params["y"])
            return one("Pow", x, power) if dtype.kind == "f" else _repeated(one, x, equation.params["y"])
        case "rem":
            return one("Mod", *given) if dtype.kind == "u" else graph.elementwise("Mod", given, dtype, fmod=1)
        case "clamp":
            low, x, high = given
            return one("Min", one("Max", x, low), high)
        case "select_n":
            return _select(graph, given)
    raise NotImplementedError(equation.primitive.name)


def _repeated(one: Callable[..., Tensor], x: Value, power: int) -> Value:
    result = x
    for _ in range(power - 1):
        result = one("Mul", result, x)
    return result


def _select(graph: Graph, given: list[Value]) -> Value:
    which, *cases = given
    if len(cases) != 2 or np.dtype(which.dtype) != bool:
        raise NotImplementedError(f"select_n of {len(cases)} cases")
    return graph.choose(which, cases[1], cases[0])


def convert(graph: Graph, given: list[Value], equation: Any) -> Value:
    """From one type to another."""
    (x,), dtype = given, np.dtype(out(equation).dtype)
    before, now = x.dtype.kind, dtype.kind
    if before == now:
        return dataclasses.replace(x, dtype=dtype)
    if {before, now} == {"i", "u"}:
        return _between_signs(graph, x, dtype)
    kind = {"b": TensorProto.BOOL, "f": TensorProto.FLOAT}.get(now, TensorProto.INT64)
    return graph.elementwise("Cast", [x], dtype, to=kind)


def _between_signs(graph: Graph, x: Tensor, dtype: np.dtype) -> Tensor:
    half = 0 if dtype.kind == "u" else BITS // 2

    def fixed(number: int) -> np.ndarray:
        return np.broadcast_to(np.array(number, np.int64), x.shape)

    for kind, number in (("Add", half), ("Mod", BITS), ("Sub", half)):
        x = graph.elementwise(kind, [x, fixed(number)], dtype) if number else x
    return x


def broadcast_in_dim(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Left to ONNX, which broadcasts where it computes."""
    return graph.broadcast(given[0], out(equation).shape, equation.params["broadcast_dimensions"])


def tiled(graph: Graph, given: list[Value], equation: Any) -> Value:
    """All of it again and again, along each axis."""
    x, times = given[0], equation.params["reps"]
    pairs = tuple(size for pair in zip(times, x.shape) for size in pair)
    apart = graph.broadcast(x, pairs, tuple(range(1, len(pairs), 2)))
    return graph.reshape(apart, out(equation).shape)


def reshaped(graph: Graph, given: list[Value], equation: Any) -> Value:
    """reshape, squeeze and expand_dims."""
    return graph.reshape(given[0], out(equation).shape)


def transposed(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Moved in memory: whoever transposes wants short axes not to be the last ones."""
    moved = graph.transpose(given[0], tuple(equation.params["permutation"]))
    return dataclasses.replace(moved, name=graph.ordered(moved), order=natural(len(moved.shape)))


def sliced(graph: Graph, given: list[Value], equation: Any) -> Value:
    """At places that are known."""
    params, rank = equation.params, len(given[0].shape)
    return graph.slice(given[0], params["start_indices"], params["limit_indices"], params["strides"] or (1,) * rank)


def dynamically_sliced(graph: Graph, given: list[Value], equation: Any) -> Value:
    """At places that are known by now: loops have been unrolled."""
    x, *starts = given
    sizes = equation.params["slice_sizes"]
    begin = _inside(starts, np.shape(x), sizes)
    return graph.slice(x, begin, tuple(b + size for b, size in zip(begin, sizes)), (1,) * len(sizes))


def dynamically_updated(graph: Graph, given: list[Value], equation: Any) -> Value:
    """The part in the place that it takes, cut into what is around it axis by axis."""
    x, part, *places = given
    x, part = graph.tensor(x), graph.tensor(part)
    begin = _inside(places, x.shape, part.shape)
    end = tuple(b + size for b, size in zip(begin, part.shape))
    starts: Shape
    ends: Shape
    for axis in range(len(begin)):  # what is before and after, as wide as the part in the axes that follow
        pieces: list[Value] = [part]
        for low, high in ((0, begin[axis]), (end[axis], x.shape[axis])):
            if low < high:
                starts, ends = (*(0,) * axis, low, *begin[axis + 1 :]), (*x.shape[:axis], high, *end[axis + 1 :])
                piece = graph.slice(x, starts, ends, (1,) * len(begin))
                pieces.insert(0 if low == 0 else len(pieces), piece)
        part = graph.concatenate(pieces, axis)
    return part


def _inside(starts: list[Value], shape: Shape, sizes: Sequence[int]) -> Shape:
    """Where a slice begins, moved so that it ends inside."""
    if any(isinstance(start, Tensor) for start in starts):
        raise NotImplementedError("a slice whose place depends on the photograph")
    return tuple(int(np.clip(int(start), 0, length - size)) for start, length, size in zip(starts, shape, sizes))


def split(graph: Graph, given: list[Value], equation: Any) -> list[Value]:
    """Parts along an axis."""
    x, axis, parts, begin = given[0], equation.params["axis"], [], 0
    for size in equation.params["sizes"]:
        starts, ends = [0] * len(x.shape), list(x.shape)
        starts[axis], ends[axis] = begin, begin + size
        parts.append(graph.slice(x, tuple(starts), tuple(ends), (1,) * len(starts)))
        begin += size
    return parts


def turned_round(graph: Graph, given: list[Value], equation: Any) -> Value:
    """rev: the last comes first."""
    x = given[0]
    steps = tuple(-1 if axis in equation.params["dimensions"] else 1 for axis in range(len(x.shape)))
    return graph.slice(x, (0,) * len(steps), x.shape, steps)


def concatenated(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Along an axis."""
    return graph.concatenate(given, equation.params["dimension"])


def stacked(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Along a new axis."""
    axis, shape = equation.params["axis"], out(equation).shape
    single = (*shape[:axis], 1, *shape[axis + 1 :])
    parts = [graph.reshape(graph.tensor(value), single) for value in given]
    return graph.concatenate(parts, axis)


def padded(graph: Graph, given: list[Value], equation: Any) -> Value:
    """More around, less around, or between: the third is a new axis that is padded, and taken back."""
    return pad(graph, given[0], given[1], equation.params["padding_config"])


def pad(graph: Graph, x: Value, value: Value, config: Sequence[tuple[int, int, int]]) -> Tensor:
    """As `lax.pad`: low, high and interior for each axis."""
    x = graph.tensor(x)
    for axis, (_, _, between) in enumerate(config):
        if between and x.shape[axis] > 1:
            before, length, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
            apart = graph.reshape(x, (*before, length, 1, *after))
            high = tuple(between if i == axis + 1 else 0 for i in range(len(apart.shape)))
            apart = graph.pad(apart, value, (0,) * len(high), high)
            joined = graph.reshape(apart, (*before, length * (between + 1), *after))
            ends = (*before, length * (between + 1) - between, *after)
            x = graph.slice(joined, (0,) * len(ends), ends, (1,) * len(ends))
    starts = tuple(max(0, -low) for low, _, _ in config)
    ends = tuple(size + min(0, high) for size, (_, high, _) in zip(x.shape, config))
    x = graph.slice(x, starts, ends, (1,) * len(starts))
    return graph.pad(x, value, tuple(max(0, low) for low, _, _ in config), tuple(max(0, high) for _, high, _ in config))


REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"}
REDUCTIONS |= {"reduce_prod": "ReduceProd", "reduce_and": "ReduceMin", "reduce_or": "ReduceMax"}


def reduced(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Sums, products, largest and smallest."""
    x, axes, kind = given[0], tuple(equation.params["axes"]), REDUCTIONS[equation.primitive.name]
    if x.dtype == bool:
        counted = reduce(graph, graph.elementwise("Cast", [x], np.dtype(np.float32), to=TensorProto.FLOAT), axes, kind)
        return graph.elementwise("Cast", [counted], np.dtype(bool), to=TensorProto.BOOL)
    return _wrapped(graph, reduce(graph, x, axes, kind))


def reduce(graph: Graph, x: Tensor, axes: Axes, kind: str) -> Tensor:
    """Over all of the axes, which are gone afterwards; sums of many numbers in parts, so that none gets too large."""
    if kind in ("ReduceSum", "ReduceProd"):
        x = graph.full(x, axes)
    gone = [axis for axis in axes if x.held[axis] != 1]
    if kind == "ReduceSum" and x.dtype.kind == "f" and len(gone) > 1 and math.prod(x.held[a] for a in gone) > LONGEST:
        last = gone[-1:]
        others = tuple(axis - (axis > last[0]) for axis in axes if axis != last[0])
        return reduce(graph, reduce(graph, x, tuple(last), kind), others, kind)
    if kind == "ReduceSum" and x.dtype.kind == "f" and len(gone) == 1 and x.held[gone[0]] > LONGEST:
        length = x.shape[gone[0]]
        part = next((n for n in range(math.isqrt(length), 1, -1) if length % n == 0), 1)
        if part > 1:
            shape = (*x.shape[: gone[0]], length // part, part, *x.shape[gone[0] + 1 :])
            first = reduce(graph, graph.reshape(x, shape), (gone[0] + 1,), kind)
            return reduce(graph, first, axes, kind)
    name = x.name
    if gone:
        places = sorted(x.order.index(axis) for axis in gone)
        name = graph.node(kind, name, graph.integers(*places), keepdims=1)
    left = [axis for axis in range(len(x.shape)) if axis not in axes]
    held = tuple(1 if axis in gone else size for axis, size in enumerate(x.held))
    alone = Tensor(name, held, held, x.dtype, x.order)
    smaller = graph.reshape(alone, tuple(held[axis] for axis in left))
    return Tensor(smaller.name, tuple(x.shape[axis] for axis in left), smaller.held, x.dtype, smaller.order)


def cumulative(graph: Graph, given: list[Value], equation: Any) -> Value:
    """cumsum."""
    x, axis = graph.full(given[0], [equation.params["axis"]]), equation.params["axis"]
    place = graph.constant(np.array(x.order.index(axis), np.int64))
    name = graph.node("CumSum", x.name, place, reverse=int(equation.params["reverse"]))
    return Tensor(name, x.shape, x.held, out(equation).dtype, x.order)


def furthest(graph: Graph, given: list[Value], equation: Any) -> Value:
    """argmax and argmin, the first of equals."""
    x, (axis,) = graph.full(given[0]), equation.params["axes"]
    kind = {"argmax": "ArgMax", "argmin": "ArgMin"}[equation.primitive.name]
    shape = out(equation).shape
    name = graph.node(kind, graph.ordered(x), axis=axis, keepdims=0)
    return Tensor(name, shape, shape, out(equation).dtype, natural(len(shape)))


def top(graph: Graph, given: list[Value], equation: Any) -> list[Value]:
    """The largest along an axis, and where they are."""
    return _top(graph, given[0], equation.params["k"], equation.params["axis"], largest=1)


def _top(graph: Graph, x: Tensor, count: int, axis: int, largest: int) -> list[Value]:
    x = graph.full(x)
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    names = graph.nodes("TopK", 2, graph.ordered(x), graph.integers(count), axis=axis, largest=largest, sorted=1)
    types = (x.dtype, np.dtype(np.int32))
    return [Tensor(name, shape, shape, dtype, natural(len(shape))) for name, dtype in zip(names, types)]


def sort(graph: Graph, given: list[Value], equation: Any) -> list[Value]:
    """By the first, the others along with it; equal ones stay in their order."""
    axis = equation.params["dimension"]
    if equation.params["num_keys"] != 1:
        raise NotImplementedError("sort by several keys")
    first = graph.tensor(given[0])
    if first.dtype == bool:
        first = graph.elementwise("Cast", [first], np.dtype(np.int32), to=TensorProto.INT64)
    found, places = _top(graph, first, first.shape[axis], axis, largest=0)
    if given[0].dtype == bool:
        found = graph.elementwise("Cast", [found], np.dtype(bool), to=TensorProto.BOOL)
    results = [found]
    for value in given[1:]:
        other = graph.full(graph.tensor(value))
        name = graph.node("GatherElements", graph.ordered(other), places.name, axis=axis)
        results.append(Tensor(name, other.shape, other.shape, other.dtype, natural(len(other.shape))))
    return results


RULES: dict[str, Rule] = {
    **dict.fromkeys((*NAMES, "and", "or", "not"), named),
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(("square", "rsqrt", "expm1", "log1p", "ne", "is_finite", "integer_pow"), composed),
    **dict.fromkeys(("rem", "clamp", "select_n"), composed),
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), reshaped),
    **dict.fromkeys(REDUCTIONS, reduced),
    "convert_element_type": convert,
    "broadcast_in_dim": broadcast_in_dim,
    "transpose": transposed,
    "tile": tiled,
    "slice": sliced,
    "dynamic_slice": dynamically_sliced,
    "dynamic_update_slice": dynamically_updated,
    "split": split,
    "rev": turned_round,
    "concatenate": concatenated,
    "stack": stacked,
    "pad": padded,
    "cumsum": cumulative,
    "argmax": furthest,
    "argmin": furthest,
    "top_k": top,
    "sort": sort,
}
