"""An ONNX graph as it grows: nodes and constants that are kept once, and the moves that change no number.

A tensor is held as small as it can be: an axis along which all is the same has length 1 there, since ONNX broadcasts by
itself; and in the order of axes that its maker has, so that one convolution follows another without a transposition.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 18, 9  # as old as the operations allow, so that many programs read them
Shape = tuple[int, ...]
Axes = tuple[int, ...]
TYPES = {"b": TensorProto.BOOL, "f": TensorProto.FLOAT, "i": TensorProto.INT64, "u": TensorProto.INT64}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A result in the graph."""

    name: str
    shape: Shape  # as JAX has it
    held: Shape  # likewise, but 1 where the graph leaves it to broadcasting
    dtype: np.dtype  # as JAX has it; in the graph integers are int64
    order: Axes  # the graph's axis i is JAX's axis order[i]
    most: int | None = None  # no number in it is larger, where that is known


Value = Any  # a Tensor, or an array: what does not depend on the photograph is computed at once


def element_type(dtype: np.dtype) -> int:
    """Of ONNX; a NotImplementedError for what no network here has."""
    if dtype.kind not in TYPES or (dtype.kind == "f" and dtype.itemsize != 4):
        raise NotImplementedError(f"numbers of type {dtype}")
    return TYPES[dtype.kind]


def natural(rank: int) -> Axes:
    """The order that JAX has."""
    return tuple(range(rank))


class Graph:
    """Nodes in the order in which they run."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._made: dict[Any, list[str]] = {}  # the results of equal nodes
        self._makers: dict[str, onnx.NodeProto] = {}

    def input(self, name: str, shape: Shape, dtype: np.dtype) -> Tensor:
        """What the caller gives: integers as int32, as JAX has them."""
        kind = TensorProto.INT32 if dtype.kind == "i" else element_type(dtype)
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        given = self.node("Cast", name, to=TensorProto.INT64) if dtype.kind == "i" else name
        return Tensor(given, shape, shape, dtype, natural(len(shape)))

    def model(self, name: str, result: Tensor) -> onnx.ModelProto:
        """The graph of what `result` needs, which is called `name`."""
        last = helper.make_node("Identity", [self.ordered(self.full(result))], [name])
        needed, nodes = set(last.input), [last]
        for node in reversed(self._nodes):
            if needed & set(node.output):
                needed |= set(node.input)
                nodes.append(node)
        outputs = [helper.make_tensor_value_info(name, element_type(result.dtype), result.shape)]
        constants = [constant for key, constant in self._constants.items() if key in needed]
        graph = helper.make_graph(nodes[::-1], "fill", self._inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="scan_jax")
        model.ir_version = IR_VERSION
        return model

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The only result of an operation."""
        return self.nodes(kind, 1, *inputs, **attributes)[0]

    def nodes(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The results of an operation; those of the node that is there already, where one is the same."""
        key = (kind, inputs, tuple(sorted((name, str(value)) for name, value in attributes.items())))
        if key not in self._made:
            self._made[key] = [f"{kind.lower()}_{len(self._nodes)}_{i}" for i in range(count)]
            node = helper.make_node(kind, inputs, self._made[key], **attributes)
            self._nodes.append(node)
            self._makers |= dict.fromkeys(self._made[key], node)
        return self._made[key]

    def constant(self, array: np.ndarray) -> str:
        """Of the type and shape that it has."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()[:16]
        name = f"constant_{digest}"
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *numbers: int) -> str:
        """A list, as operations take shapes and axes."""
        return self.constant(np.array(numbers, np.int64))

    def tensor(self, value: Value, order: Axes | None = None) -> Tensor:
        """A known array as a constant; a tensor as it is."""
        if isinstance(value, Tensor):
            return value
        array = small = np.asarray(value)
        for axis in range(array.ndim):
            first = np.take(small, [0], axis) if array.shape[axis] else small
            small = first if np.array_equal(np.broadcast_to(first, small.shape), small) else small
        order = order or natural(array.ndim)
        kept = small.transpose(order).astype(helper.tensor_dtype_to_np_dtype(element_type(array.dtype)))
        return Tensor(self.constant(kept), array.shape, small.shape, array.dtype, order)

    def ordered(self, tensor: Tensor, order: Axes | None = None) -> str:
        """Its name with axes in that order, JAX's own where none is given."""
        order = order or natural(len(tensor.shape))
        if order == tensor.order:
            return tensor.name
        moved = tuple(tensor.order.index(axis) for axis in order)
        if [axis for axis in order if tensor.held[axis] != 1] == [a for a in tensor.order if tensor.held[a] != 1]:
            return self._reshaped(tensor.name, tuple(tensor.held[axis] for axis in order))
        return self.node("Transpose", tensor.name, perm=moved)

    def _reshaped(self, name: str, shape: Shape) -> str:
        maker = self._makers.get(name)
        if maker is not None and maker.op_type == "Reshape":
            name = maker.input[0]
        return self.node("Reshape", name, self.integers(*shape))

    def full(self, tensor: Tensor, axes: Sequence[int] | None = None) -> Tensor:
        """With nothing left to broadcasting, or along these axes."""
        wanted = set(natural(len(tensor.shape)) if axes is None else axes)
        held = tuple(tensor.shape[axis] if axis in wanted else size for axis, size in enumerate(tensor.held))
        if held == tensor.held:
            return tensor
        expanded = self.node("Expand", tensor.name, self.integers(*(held[axis] for axis in tensor.order)))
        return dataclasses.replace(tensor, name=expanded, held=held)

    def elementwise(self, kind: str, values: Sequence[Value], dtype: np.dtype, **attributes: Any) -> Tensor:
        """An operation number by number, on values whose shapes differ where one has length 1 or is a single number."""
        shape = np.broadcast_shapes(*map(np.shape, values))
        values = [value if np.shape(value) == shape else self._repeated(value, shape) for value in values]
        given = [value for value in values if isinstance(value, Tensor)]
        order = max(given, key=lambda tensor: math.prod(tensor.held)).order if given else None
        tensors = [self.tensor(value, order) for value in values]
        order = order or tensors[0].order
        names = [self.ordered(tensor, order) for tensor in tensors]
        held = np.broadcast_shapes(*(tensor.held for tensor in tensors))
        return Tensor(self.node(kind, *names, **attributes), shape, held, np.dtype(dtype), order)

    def choose(self, which: Value, yes: Value, no: Value) -> Tensor:
        """`yes` where `which`, bool, is true; onnxruntime has no Where of bools."""
        dtype = np.dtype(yes.dtype)
        if dtype.kind != "b":
            return self.elementwise("Where", [which, yes, no], dtype)
        given = self.elementwise("And", [which, yes], dtype)
        others = self.elementwise("And", [self.elementwise("Not", [which], dtype), no], dtype)
        return self.elementwise("Or", [given, others], dtype)

    def _repeated(self, value: Value, shape: Shape) -> Value:
        if isinstance(value, Tensor):
            return self.broadcast(value, shape, natural(len(shape))[len(shape) - len(value.shape) :])
        return np.broadcast_to(value, shape)

    def broadcast(self, tensor: Tensor, shape: Shape, axes: Sequence[int]) -> Tensor:
        """Its axis i becomes axis axes[i] of `shape`, the others are new; where it has length 1 it is repeated."""
        wider = [1] * len(shape)
        for before, axis in enumerate(axes):
            wider[axis] = tensor.shape[before]
        moved = self.reshape(tensor, tuple(wider))
        return dataclasses.replace(moved, shape=tuple(shape))

    def reshape(self, tensor: Tensor, shape: Shape) -> Tensor:
        """Row by row, as JAX does."""
        held = _held_after(tensor, shape)
        if held is None:
            tensor, held = self.full(tensor), shape
        name = self.ordered(tensor)
        name = name if held == tensor.held else self._reshaped(name, held)
        return Tensor(name, shape, held, tensor.dtype, natural(len(shape)))

    def transpose(self, tensor: Tensor, axes: Axes) -> Tensor:
        """JAX's axis i is then what was axes[i]; nothing is moved before somebody wants it."""
        shape, held = (tuple(sizes[axis] for axis in axes) for sizes in (tensor.shape, tensor.held))
        order = tuple(axes.index(axis) for axis in tensor.order)
        return Tensor(tensor.name, shape, held, tensor.dtype, order)

    def slice(self, tensor: Tensor, starts: Shape, ends: Shape, steps: Shape) -> Tensor:
        """From `starts` to before `ends`; a step of -1 turns the whole axis round."""
        shape = tuple(-(-(end - start) // abs(step)) for start, end, step in zip(starts, ends, steps))
        cut = [i for i, size in enumerate(tensor.held) if size != 1 and (shape[i] != size or steps[i] != 1)]
        held = tuple(shape[i] if size != 1 else 1 for i, size in enumerate(tensor.held))
        if not cut:
            return dataclasses.replace(tensor, shape=shape, held=held)
        low = [-1 if steps[axis] < 0 else starts[axis] for axis in cut]
        high = [-(2**31) if steps[axis] < 0 else ends[axis] for axis in cut]
        places = [tensor.order.index(axis) for axis in cut]
        numbers = [self.integers(*each) for each in (low, high, places, [steps[axis] for axis in cut])]
        return dataclasses.replace(tensor, name=self.node("Slice", tensor.name, *numbers), shape=shape, held=held)

    def pad(self, tensor: Tensor, value: Value, low: Shape, high: Shape) -> Tensor:
        """So many more at the begin and the end of each axis, at least 0."""
        axes = [axis for axis in range(len(low)) if low[axis] or high[axis]]
        if not axes:
            return tensor
        tensor = self.full(tensor, axes)
        held = tuple(size + low[i] + high[i] for i, size in enumerate(tensor.held))
        shape = tuple(size + low[i] + high[i] for i, size in enumerate(tensor.shape))
        amounts = self.integers(*(low[axis] for axis in tensor.order), *(high[axis] for axis in tensor.order))
        name = self.node("Pad", tensor.name, amounts, self.tensor(value).name)
        return dataclasses.replace(tensor, name=name, shape=shape, held=held)

    def concatenate(self, values: Sequence[Value], axis: int) -> Tensor:
        """Along one axis."""
        values = [value for value in values if np.shape(value)[axis]]
        if len(values) == 1:
            return self.tensor(values[0])
        given = [value for value in values if isinstance(value, Tensor)]
        order = max(given, key=lambda tensor: math.prod(tensor.held)).order
        tensors = [self.tensor(value, order) for value in values]
        rank = len(tensors[0].shape)
        wide = [i for i in range(rank) if i == axis or any(tensor.held[i] != 1 for tensor in tensors)]
        tensors = [self.full(tensor, wide) for tensor in tensors]
        names = [self.ordered(tensor, order) for tensor in tensors]
        sizes = (sum(tensor.shape[axis] for tensor in tensors),)
        shape, held = (each[:axis] + sizes + each[axis + 1 :] for each in (tensors[0].shape, tensors[0].held))
        return Tensor(self.node("Concat", *names, axis=order.index(axis)), shape, held, tensors[0].dtype, order)


def _held_after(tensor: Tensor, shape: Shape) -> Shape | None:
    """What a reshaped tensor leaves to broadcasting; None where that is no box of the new shape."""
    held: list[int] = []
    old = new = 0
    while old < len(tensor.shape) or new < len(shape):
        start, first, sizes = old, new, [1, 1]
        while sizes[0] != sizes[1] or (old, new) == (start, first):  # the next axes that hold as many numbers
            if (sizes[0] <= sizes[1] and old < len(tensor.shape)) or new == len(shape):
                sizes[0] *= tensor.shape[old]
                old += 1
            else:
                sizes[1] *= shape[new]
                new += 1
        here = tensor.held[start:old]
        if here == tensor.shape[start:old]:
            held += shape[first:new]
        elif all(size == 1 for size in here):
            held += [1] * (new - first)
        else:
            return None
    return tuple(held)
