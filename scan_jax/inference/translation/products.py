"""Convolutions, products, windows, what takes numbers from places, and functions that ONNX has whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax import lax

from scan_jax.inference.translation.graph import Axes, Graph, Shape, Tensor, Value, natural
from scan_jax.inference.translation.operations import RULES, Rule, out, pad

ZERO = np.float32(0)


def convolution(graph: Graph, given: list[Value], equation: Any) -> Value:
    """conv_general_dilated, whatever the order of its axes; ONNX wants channels first, and so is the result kept."""
    params, aval = equation.params, out(equation)
    numbers = params["dimension_numbers"]
    x, kernel = (_transposed(graph, value, spec) for value, spec in zip(given, (numbers.lhs_spec, numbers.rhs_spec)))
    spread, padding = params["lhs_dilation"], list(params["padding"])
    sizes = [d * (size - 1) + 1 for d, size in zip(params["rhs_dilation"], np.shape(kernel)[2:])]
    around = [(size - 1 - low, size - 1 - high) for size, (low, high) in zip(sizes, padding)]
    shape = tuple(aval.shape[axis] for axis in numbers.out_spec)
    shared = {"dilations": params["rhs_dilation"]}
    if params["batch_group_count"] != 1:
        raise NotImplementedError("convolutions by groups of the batch")
    if any(s > 1 for s in spread) and params["feature_group_count"] == 1 and min(map(min, around)) >= 0:
        if any(stride != 1 for stride in params["window_strides"]):
            raise NotImplementedError("transposed convolutions with strides")
        turned = _turned(graph, kernel)  # what goes in first, each kernel the other way round
        names = [graph.ordered(graph.full(graph.tensor(value))) for value in (x, turned)]
        name = graph.node("ConvTranspose", *names, strides=spread, pads=_in_order(around), **shared)
    else:
        if any(s > 1 for s in spread) or min(map(min, padding)) < 0:
            config = [(0, 0, 0)] * 2 + [(*each, s - 1) for each, s in zip(padding, spread)]
            x, padding = pad(graph, x, ZERO, config), [(0, 0)] * len(padding)
        names = [graph.ordered(graph.full(graph.tensor(value))) for value in (x, kernel)]
        shared |= {"group": params["feature_group_count"], "strides": params["window_strides"]}
        name = graph.node("Conv", *names, pads=_in_order(padding), **shared)
    first = Tensor(name, shape, shape, np.dtype(aval.dtype), natural(len(shape)))
    return graph.transpose(first, tuple(numbers.out_spec.index(axis) for axis in range(len(shape))))


def _in_order(padding: Sequence[tuple[int, int]]) -> list[int]:
    return [low for low, _ in padding] + [high for _, high in padding]


def _transposed(graph: Graph, value: Value, axes: Axes) -> Value:
    if isinstance(value, Tensor):
        return graph.transpose(value, tuple(axes))
    return np.asarray(value).transpose(axes)


def _turned(graph: Graph, kernel: Value) -> Value:
    """[O,I,...] -> [I,O,...], turned round in the others."""
    swapped = _transposed(graph, kernel, (1, 0, *range(2, np.ndim(kernel))))
    if not isinstance(kernel, Tensor):
        return np.flip(swapped, tuple(range(2, np.ndim(kernel))))
    steps = (1, 1, *(-1,) * (len(kernel.shape) - 2))
    return graph.slice(swapped, (0,) * len(steps), swapped.shape, steps)


def product(graph: Graph, given: list[Value], equation: Any) -> Value:
    """dot_general, as products of matrices."""
    (summed, batched), aval = equation.params["dimension_numbers"], out(equation)
    matrices, free = [], []
    for side, value in enumerate(given):
        shape, over, batch = np.shape(value), tuple(summed[side]), tuple(batched[side])
        rest = tuple(axis for axis in range(len(shape)) if axis not in over + batch)
        axes = (*batch, *rest, *over) if side == 0 else (*batch, *over, *rest)
        sizes = [math.prod(shape[axis] for axis in part) for part in ((rest, over) if side == 0 else (over, rest))]
        matrices.append(_reshaped(graph, _transposed(graph, value, axes), (*(shape[a] for a in batch), *sizes)))
        free.append(tuple(shape[axis] for axis in rest))
    names = [graph.ordered(graph.full(graph.tensor(matrix))) for matrix in matrices]
    lead = tuple(np.shape(matrices[0])[:-2])
    shape = (*lead, np.shape(matrices[0])[-2], np.shape(matrices[1])[-1])
    if np.dtype(aval.dtype).kind != "f":
        raise NotImplementedError("products of integers")
    found = Tensor(graph.node("MatMul", *names), shape, shape, np.dtype(aval.dtype), natural(len(shape)))
    return graph.reshape(found, (*lead, *free[0], *free[1]))


def _reshaped(graph: Graph, value: Value, shape: Shape) -> Value:
    return graph.reshape(value, shape) if isinstance(value, Tensor) else np.reshape(value, shape)


def window(graph: Graph, given: list[Value], equation: Any) -> Value:
    """The largest or the smallest number under a window of two axes, or the sum of all."""
    params, aval = equation.params, out(equation)
    kind = equation.primitive.name.removeprefix("reduce_window").strip("_") or _kind(params["jaxpr"])
    wide = [axis for axis, size in enumerate(params["window_dimensions"]) if size > 1]
    spread = {*params["base_dilation"], *params["window_dilation"]}
    if kind not in ("max", "min", "add", "sum") or len(wide) > 2 or spread != {1}:
        raise NotImplementedError(f"a window's {kind}")
    x = graph.full(graph.tensor(given[0]))
    wide = (wide + [axis for axis in range(len(x.shape)) if axis not in wide])[:2]
    rest = tuple(axis for axis in range(len(x.shape)) if axis not in wide)
    axes = (*rest, *sorted(wide))
    moved = graph.transpose(x, axes)
    planes = graph.reshape(moved, (1, math.prod(moved.shape[:-2]), *moved.shape[-2:]))
    if kind == "min":
        planes = graph.elementwise("Neg", [planes], x.dtype)
    of_both: list[Any] = [[params[key][axis] for axis in axes[-2:]] for key in ("window_dimensions", "window_strides")]
    pads = _in_order([params["padding"][axis] for axis in axes[-2:]])
    how: dict[str, Any] = {"kernel_shape": of_both[0], "strides": of_both[1], "pads": pads}
    if kind in ("add", "sum"):
        name = graph.node("AveragePool", graph.ordered(planes), **how, count_include_pad=1)
    else:
        name = graph.node("MaxPool", graph.ordered(planes), **how)
    shape = tuple(aval.shape[axis] for axis in axes)
    pooled = (1, planes.shape[1], *shape[-2:])
    found = Tensor(name, pooled, pooled, x.dtype, natural(4))
    if kind == "min":
        found = graph.elementwise("Neg", [found], x.dtype)
    if kind in ("add", "sum"):
        found = graph.elementwise("Mul", [found, np.full(pooled, math.prod(of_both[0]), x.dtype)], x.dtype)
    return graph.transpose(graph.reshape(found, shape), tuple(axes.index(axis) for axis in range(len(axes))))


def _kind(jaxpr: Any) -> str:
    """Of a window's function of two numbers."""
    return "_".join(equation.primitive.name for equation in jaxpr.eqns)


def gather(graph: Graph, given: list[Value], equation: Any) -> Value:
    """`lax.gather`, by the place of each number in the flat operand; whole last axes move together."""
    numbers, sizes, mode = (equation.params[key] for key in ("dimension_numbers", "slice_sizes", "mode"))
    x, indices = given
    shape, aval = np.shape(x), out(equation)
    if (axis := _along_one_axis(numbers, sizes, shape)) is not None:
        return _take(graph, x, indices, axis, numbers, equation)
    dropped = {*map(int, numbers.collapsed_slice_dims), *map(int, numbers.operand_batching_dims)}
    kept = [axis for axis in range(len(shape)) if axis not in dropped]  # the axis of each of offset_dims
    batch = [axis for axis in range(len(aval.shape)) if axis not in numbers.offset_dims]
    whole = len(shape)  # from here on axes are whole, last in both, and move together
    while whole > 0 and whole - 1 in kept and sizes[whole - 1] == shape[whole - 1] and whole - 1 not in (
        numbers.start_index_map
    ) and numbers.offset_dims[kept.index(whole - 1)] == len(aval.shape) - (len(shape) - whole) - 1:  # fmt: skip
        whole -= 1
    lead = aval.shape[: len(aval.shape) - (len(shape) - whole)]
    strides = [math.prod(shape[axis + 1 : whole]) for axis in range(whole)]
    fixed = np.zeros((1,) * len(lead), np.int64)  # of the place: what does not depend on the indices
    for offset, axis in zip(numbers.offset_dims, kept):
        if axis < whole:
            fixed = fixed + _along(np.arange(sizes[axis]) * strides[axis], offset, len(lead))
    for axis, among in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims):
        fixed = fixed + _along(np.arange(shape[axis]) * strides[axis], batch[among], len(lead))
    place, valid = _starts(graph, indices, numbers, [shape[a] - sizes[a] for a in range(len(shape))], strides, mode)
    spread = [axis for axis in range(len(lead)) if axis in batch]
    wider = tuple(lead[axis] if axis in spread else 1 for axis in range(len(lead)))
    starts = _reshaped(graph, place, wider)
    places = _sum(graph, starts, np.broadcast_to(fixed, np.broadcast_shapes(fixed.shape, wider)))
    rows = graph.reshape(graph.full(graph.tensor(x)), (math.prod(shape[:whole]), *shape[whole:]))
    if isinstance(places, Tensor):
        places = graph.full(places)
    picked = graph.tensor(places) if isinstance(places, Tensor) else None
    name = graph.ordered(picked) if picked is not None else graph.constant(np.asarray(places, np.int64))
    found = Tensor(graph.node("Gather", graph.ordered(rows), name, axis=0), aval.shape, aval.shape, np.dtype(
        aval.dtype), natural(len(aval.shape)))  # fmt: skip
    return found if valid is None else _filled(graph, found, valid, spread, equation)


def _along_one_axis(numbers: Any, sizes: Shape, shape: Shape) -> int | None:
    """The axis, where whole slices are taken along a single one and no other."""
    if len(numbers.start_index_map) != 1 or numbers.operand_batching_dims:
        return None
    (axis,) = map(int, numbers.start_index_map)
    others = all(sizes[i] == shape[i] for i in range(len(shape)) if i != axis)
    return axis if others and tuple(map(int, numbers.collapsed_slice_dims)) == (axis,) else None


def _take(graph: Graph, x: Value, indices: Value, axis: int, numbers: Any, equation: Any) -> Tensor:
    """ONNX puts what is taken in the place of the axis; JAX says where it is to be."""
    shape, aval = np.shape(x), out(equation)
    place, valid = _starts(graph, indices, numbers, [size - 1 for size in shape], [1] * len(shape),
                           equation.params["mode"])  # fmt: skip
    tensor = graph.full(graph.tensor(x))
    taken = np.shape(place)
    name = graph.ordered(graph.full(place)) if isinstance(place, Tensor) else graph.constant(np.asarray(place))
    found = graph.node("Gather", graph.ordered(tensor), name, axis=axis)
    now = (*shape[:axis], *taken, *shape[axis + 1 :])
    batch = [i for i in range(len(aval.shape)) if i not in numbers.offset_dims]
    wanted: list[int] = [0] * len(now)  # JAX's axis i is ours wanted[i]
    for i, among in enumerate(batch):
        wanted[among] = axis + i
    for offset, i in zip(numbers.offset_dims, [i for i in range(len(shape)) if i != axis]):
        wanted[offset] = i if i < axis else i + len(taken) - 1
    result = graph.transpose(Tensor(found, now, now, np.dtype(aval.dtype), natural(len(now))), tuple(wanted))
    return result if valid is None else _filled(graph, result, valid, batch, equation)


def _starts(
    graph: Graph, indices: Value, numbers: Any, last: Sequence[int], strides: Sequence[int], mode: Any
) -> tuple[Value, Value]:
    """Where slices begin in the flat operand, and whether they lie inside, None where they are known to."""
    place: Value = np.zeros(np.shape(indices)[:-1], np.int64)
    valid: Value = None
    for i, axis in enumerate(map(int, numbers.start_index_map)):
        if isinstance(indices, Tensor):
            low = (0,) * (len(indices.shape) - 1)
            part = graph.slice(indices, (*low, i), (*indices.shape[:-1], i + 1), (1,) * len(indices.shape))
            start: Value = graph.reshape(part, indices.shape[:-1])
        else:
            start = np.asarray(indices)[..., i].astype(np.int64)
        if mode != lax.GatherScatterMode.PROMISE_IN_BOUNDS:
            inside = _both(graph, start, np.maximum, np.array(0), "Max")
            inside = _both(graph, inside, np.minimum, np.array(last[axis]), "Min")
            if mode == lax.GatherScatterMode.FILL_OR_DROP:
                right = _both(graph, start, np.equal, inside, "Equal", bool)
                valid = right if valid is None else _both(graph, valid, np.logical_and, right, "And", bool)
            start = inside
        place = _sum(graph, place, _both(graph, start, np.multiply, np.array(strides[axis]), "Mul"))
    return place, None if not isinstance(valid, Tensor) and np.all(valid) else valid


def _both(graph: Graph, a: Value, known: Any, b: Value, kind: str, dtype: Any = np.int64) -> Value:
    """An operation at once where both sides are known."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return graph.elementwise(kind, [a, b], np.dtype(dtype))
    return known(a, b)


def _sum(graph: Graph, a: Value, b: Value) -> Value:
    return _both(graph, a, np.add, b, "Add")


def _along(numbers: np.ndarray, axis: int, rank: int) -> np.ndarray:
    return numbers.reshape([-1 if i == axis else 1 for i in range(rank)])


def _filled(graph: Graph, found: Tensor, valid: Value, axes: Sequence[int], equation: Any) -> Tensor:
    """What lies outside is filled, as `lax.gather` does."""
    fill, dtype = equation.params["fill_value"], found.dtype
    if fill is None:
        fill = np.nan if dtype.kind == "f" else np.iinfo(dtype).min
    wide = graph.broadcast(graph.tensor(valid), found.shape, axes)
    return graph.choose(wide, found, np.full(found.shape, fill, dtype))


def scatter(graph: Graph, given: list[Value], equation: Any) -> Value:
    """Additions or replacements at known places, each at most once: updates are gathered where they belong."""
    x, indices, updates = given
    numbers, shape = equation.params["dimension_numbers"], np.shape(x)
    if isinstance(indices, Tensor):
        raise NotImplementedError("a scatter to places that depend on the photograph")
    ids = np.arange(1, math.prod(np.shape(updates)) + 1, dtype=np.float64).reshape(np.shape(updates))
    modes = {"mode": equation.params["mode"]}
    which = np.asarray(lax.scatter(np.zeros(shape), np.asarray(indices), ids, numbers, **modes)).astype(np.int64)
    counts = lax.scatter_add(np.zeros(shape), np.asarray(indices), np.ones(ids.shape), numbers, **modes)
    if ids.size > 2**24 or np.max(counts) > 1:
        raise NotImplementedError("a scatter to the same place twice")
    flat = graph.reshape(graph.full(graph.tensor(updates)), (ids.size,))
    name = graph.node("Gather", graph.ordered(flat), graph.constant(np.maximum(which - 1, 0)), axis=0)
    moved = Tensor(name, shape, shape, flat.dtype, natural(len(shape)))
    if equation.primitive.name == "scatter":
        return graph.choose(which > 0, moved, x)
    added = graph.choose(which > 0, moved, np.zeros(shape, flat.dtype))
    return graph.elementwise("Add", [x, added], flat.dtype)


ALL: dict[str, Rule] = RULES | {
    "conv_general_dilated": convolution,
    "dot_general": product,
    "gather": gather,
    **dict.fromkeys(("reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum"), window),
    **dict.fromkeys(("scatter", "scatter-add"), scatter),
}


# Functions that ONNX has as one operation: shorter files, which load faster. They are known by the names of their jit,
# and all are of planes [B,C,h,w], of `ops/smooth_fill.py`, which says what each computes.
CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
BLUR = np.outer((1, 2, 1), (1, 2, 1)).astype(np.float32) / 16


def _each_alone(graph: Graph, x: Tensor, kernel: np.ndarray, pad: int, stride: int = 1) -> Tensor:
    """Each channel alone."""
    channels = x.shape[1]
    kernels = graph.constant(np.tile(kernel, (channels, 1, 1, 1)))
    how = {"group": channels, "pads": [pad] * 4, "strides": [stride] * 2}
    shape = (*x.shape[:2], x.shape[2] // stride, x.shape[3] // stride)
    return _plane(x, graph.node("Conv", graph.ordered(graph.full(x)), kernels, **how), shape)


def _plane(x: Tensor, name: str, shape: Shape) -> Tensor:
    return Tensor(name, shape, shape, x.dtype, natural(4))


def _neighbours(graph: Graph, x: Tensor) -> Tensor:
    return _each_alone(graph, x, CROSS, 1)


def _block_sums(graph: Graph, x: Tensor) -> Tensor:
    return _each_alone(graph, x, np.ones((2, 2), np.float32), 0, 2)


def _blur(graph: Graph, x: Tensor) -> Tensor:
    wider = (*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2)
    amounts = graph.integers(0, 0, 1, 1, 0, 0, 1, 1)
    around = _plane(x, graph.node("Pad", graph.ordered(graph.full(x)), amounts, mode="edge"), wider)
    blurred = _each_alone(graph, around, BLUR, 0)
    return _plane(x, blurred.name, x.shape)


def _enlarge(graph: Graph, x: Tensor) -> Tensor:
    shape = (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    names = [graph.ordered(graph.full(x)), "", "", graph.integers(*shape)]
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return _plane(x, graph.node("Resize", *names, **how), shape)


FORMS: dict[str, Callable[[Graph, Tensor], Tensor]] = {
    "_neighbours": _neighbours,
    "_block_sums": _block_sums,
    "_blur": _blur,
    "_enlarge": _enlarge,
}
