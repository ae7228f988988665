"""Filling as an ONNX file for photographs of one size, for those who have neither JAX nor us.

jax2onnx translates, after `folding` has taken out what it does not know; onnxruntime says whether the file is right.
Both are an extra, since they bring packages that nothing else here needs.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.inference.bundles import program
from scan_jax.inference.bundles.folding import fold
from scan_jax.methods.api import Method

log = logging.getLogger(__name__)
PACKAGES = ("jax2onnx", "onnxruntime")
OPSET = 21
NOT_TRANSLATED = (TypeError, ValueError, NotImplementedError, KeyError, RuntimeError, jax.errors.JAXTypeError)

Size = tuple[int, int]  # height and width in pixels


def read_size(text: str) -> Size:
    """ "96x128" -> (96, 128).

    Raises:
      UserError: it is no such size.
    """
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UserError(f"--onnx wants HEIGHTxWIDTH in pixels, such as 256x256, not {text!r}")
    return int(height), int(width)


def require_onnx() -> None:
    """Looks before minutes of work.

    Raises:
      UserError: a package is missing.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise UserError(f'an ONNX file needs {" and ".join(missing)}: pip install "scan_jax[onnx]"')


def make_onnx(method: Method, arrays: Mapping[str, np.ndarray], size: Size) -> bytes:
    """One photograph [1,H,W,3], known [1,H,W,1] and, where the method wants them, labels [1,H,W] -> [1,H,W,3].

    Args:
      method: whose prediction it is, in float32.
      arrays: flat, as they lie in the bundle; they become part of the file.
      size: of the photograph, multiples of the method's stride.

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
        made = jax2onnx.to_onnx(folded, shapes, model_name="fill", opset=OPSET).SerializeToString()
    except NOT_TRANSLATED as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"jax2onnx cannot translate this network ({first}); leave out --onnx") from error
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
    names = [each.name for each in session.get_inputs()]
    return session.run(None, dict(zip(names, given)))[0]
