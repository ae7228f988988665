"""Filling as an ONNX file for photographs of one size, for those who have neither JAX nor us.

`inference.translation` writes it and onnxruntime says whether it is right. The packages onnx and onnxruntime are an
extra, since nothing else here needs them.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.inference.bundles import program
from scan_jax.methods.api import Method

log = logging.getLogger(__name__)
PACKAGES = ("onnx", "onnxruntime")
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
      UserError: another size, an operation that is not translated, or an answer off by as much as is `program.allowed`.
    """
    if size[0] % method.stride or size[1] % method.stride:
        raise UserError(f"--onnx: both sides must be multiples of {method.stride}, not {size[0]}x{size[1]}")
    from scan_jax.inference.translation.walk import translate

    given = program.example((1, *size), method.num_labels)
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in given]
    fill = program.make_fill(method)

    def network(*seen: jax.Array) -> jax.Array:
        return fill({name: jnp.asarray(array) for name, array in arrays.items()}, *seen)

    try:
        model = translate(network, shapes, INPUTS[: len(given)], OUTPUT)
    except NotImplementedError as error:
        raise UserError(f"this network cannot become ONNX ({error}); leave out --onnx") from error
    for key, value in (told or {}).items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    made = model.SerializeToString()
    compiled = jax.jit(network)
    truth = np.asarray(compiled(*given))
    difference = float(np.max(np.abs(run_onnx(made, *given) - truth)))
    if not difference < program.allowed(compiled, truth, *given):  # nor NaN
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
