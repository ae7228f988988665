"""Filling as an ONNX file for photographs of one size, for those who have neither JAX nor us.

jax2onnx translates, after `fold` has taken out what it does not know; onnxruntime says whether the file is right.
Both are an extra, since they bring packages that nothing else here needs.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from scan_jax.core.errors import UserError
from scan_jax.inference.bundles import program
from scan_jax.methods.api import Method

log = logging.getLogger(__name__)
PACKAGES = ("jax2onnx", "onnxruntime")
OPSET = 21
NOT_TRANSLATED = (TypeError, ValueError, NotImplementedError, KeyError, RuntimeError, jax.errors.JAXTypeError)

INPUTS, OUTPUT = ("image", "known", "labels"), "filled"  # as programs that run the file call them

Size = tuple[int, int]  # height and width in pixels


def read_size(text: str) -> Size:
    """ "96x128" -> (96, 128); a UserError where it is no such size."""
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UserError(f"--onnx wants HEIGHTxWIDTH in pixels, such as 256x256, not {text!r}")
    return int(height), int(width)


def require_onnx() -> None:
    """Looks before minutes of work; a UserError where a package is missing."""
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise UserError(f'an ONNX file needs {" and ".join(missing)}: pip install "scan_jax[onnx]"')


def make_onnx(
    method: Method, arrays: Mapping[str, np.ndarray], size: Size, told: Mapping[str, Any] | None = None
) -> bytes:
    """`image` [1,H,W,3], `known` [1,H,W,1] and, where the method wants them, `labels` [1,H,W] -> `filled` [1,H,W,3].

    Args:
      method: whose prediction it is, in float32.
      arrays: flat, as they lie in the bundle; they become part of the file.
      size: of the photograph, multiples of the method's stride.
      told: layouts and ranges, kept as metadata of the model: text as it is, anything else as JSON.

    Returns:
      What the file holds; it answers as the network does on noise with a large hole.

    Raises:
      UserError: another size, an operation that is not translated, or an answer off by `program.TOLERANCE` or more.
    """
    if size[0] % method.stride or size[1] % method.stride:
        raise UserError(f"--onnx: both sides must be multiples of {method.stride}, not {size[0]}x{size[1]}")
    import jax2onnx

    given = program.example((1, *size), method.num_labels)
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in given]
    fill = program.make_fill(method)

    def network(*seen: jax.Array) -> jax.Array:
        return fill({name: jnp.asarray(array) for name, array in arrays.items()}, *seen)

    folded = fold(network, *shapes)
    try:
        names: dict[str, Any] = {"input_names": INPUTS[: len(given)], "output_names": (OUTPUT,)}
        model = jax2onnx.to_onnx(folded, shapes, model_name="fill", opset=OPSET, **names)
    except NOT_TRANSLATED as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"jax2onnx cannot translate this network ({first}); leave out --onnx") from error
    for key, value in (told or {}).items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    made = model.SerializeToString()
    difference = float(np.max(np.abs(run_onnx(made, *given) - np.asarray(jax.jit(network)(*given)))))
    if not difference < program.TOLERANCE:  # nor NaN
        raise UserError(f"the ONNX file differs from the network by {difference:.1e}; leave out --onnx")
    log.info("checked the ONNX file against the network by onnxruntime: largest difference %.1e", difference)
    return made


def run_onnx(content: bytes, *given: np.ndarray) -> np.ndarray:
    """The file's answer on a CPU, by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], dict(zip(INPUTS, given)))[0]


# Primitives that call a function, and the parameter that holds it.
CALLS = {
    **dict.fromkeys(("jit", "pjit", "checkpoint"), "jaxpr"),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"), "call_jaxpr"),
}
GENERAL_FORM = np.int32(2**31 - 1)  # beyond all platforms: `cond` takes its last branch


class Value(NamedTuple):
    """What a variable stands for."""

    array: Any  # itself, or a stand-in that is being traced
    known: bool  # it does not depend on the arguments


def fold(function: Callable[..., Any], *shapes: Any) -> Callable[..., Any]:
    """What computes the same as `function` of arrays, to be traced with arguments of the same shapes.

    Its result is one array; `shapes` are as `jax.make_jaxpr` takes them, none symbolic.
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
