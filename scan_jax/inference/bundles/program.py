"""Filling as a StableHLO program: any batch and size (with a prior one size), on any platform, without this toolkit.

`jax.export` keeps such a program readable for later versions of JAX; the network's arrays are an argument, under the
names that `safetensors` gives them, so that the program stays small and serves any training of the same network.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from scan_jax.core.errors import UserError
from scan_jax.core.progress import telling
from scan_jax.core.run_layout import PROGRAM
from scan_jax.core.types import Array, Observation
from scan_jax.inference.trained import Trained
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.weights import safetensors_tree

PLATFORMS = ("cpu", "cuda", "tpu")
OTHERS = ("rocm",)  # that JAX can lower for besides
SEED = 0  # of what the method draws at random, as in an evaluation
FULL = {"compute_dtype": "float32"}
NEEDED = "flatbuffers"  # by jax.export, for the file
# What JAX raises where an operation wants to know a size that is not known.
NOT_SYMBOLIC = (TypeError, ValueError, NotImplementedError, jax.errors.JAXTypeError)

TOLERANCE = 1e-5  # of answers in [0, 1], for whatever is made of a network to be kept
# More where the network itself answers otherwise to a picture that is rounded otherwise: so many times that, and at
# most a quarter of one of 255 levels.
NUDGES, MOST = 4, 1e-3

Fill = Callable[..., Array]  # (flat arrays, image [B,H,W,3], known [B,H,W,1][, labels [B,H,W]]) -> [B,H,W,3]


def require_program_can_be_made(platforms: Sequence[str]) -> None:
    """Looks before minutes of work; a UserError where there is no such platform, or a package is missing."""
    known = (*PLATFORMS, *OTHERS)
    for name in platforms:
        if name not in known:
            near = "; for NVIDIA's GPUs it is cuda" if name == "gpu" else ""
            raise UserError(f"--platforms are {', '.join(known)}, not {name!r}{near}")
    if platforms and importlib.util.find_spec(NEEDED) is None:
        raise UserError(f"a StableHLO program needs the package {NEEDED}: pip install {NEEDED}, or --no_stablehlo")


def fixed_size(config: Mapping[str, Any]) -> int | None:
    """Height and width of a program's photographs, those of training, where a prior's equations have to know them."""
    return int(config["data"]["size"]) if config["method"].get("prior", "none") != "none" else None


def sizes_in_words(size: int | None) -> str:
    """For a sentence on a program."""
    return f"{size}x{size} and any batch" if size else "any batch, height and width"


def in_full_precision(section: Mapping[str, Any]) -> Method:
    """The method of a config's section, computing in float32: rounded to bfloat16, no two compilations would agree."""
    return api.build_method({**section, **(FULL if "compute_dtype" in section else {})})


def make_fill(method: Method) -> Fill:
    """The method's prediction as a function of plain arrays; what the image holds in the hole makes no difference."""

    def fill(arrays: Mapping[str, Array], image: Array, known: Array, labels: Array | None = None) -> Array:
        tree = safetensors_tree.unflatten({name: _single(array) for name, array in arrays.items()})
        stats = {name: tree.get("stats", {}).get(name, {}) for name in tree["params"]}  # empty ones are in no file
        seen = Observation(jnp.where(known > 0.5, image, 0.0), known, labels)
        return method.predict(Variables(tree["params"], stats), seen, jax.random.key(SEED)).image

    return fill


def _single(array: Array) -> Array:
    """What an export with --half has rounded to float16 is computed with in float32."""
    return array.astype(jnp.float32) if array.dtype == jnp.float16 else array


def example(shape: tuple[int, int, int], classes: int) -> list[np.ndarray]:
    """What a fill takes besides its arrays, to compare two of them on: noise, so that every pixel counts.

    Of `shape` (B, H, W): image [B,H,W,3], known [B,H,W,1] and, where there are classes, labels [B,H,W].
    """
    rng = np.random.default_rng(0)
    known = (rng.random((*shape, 1)) > 0.1).astype(np.float32)
    known[:, shape[1] // 4 :, shape[2] // 3 :] = 0  # large, so that something of it is left at every stride
    labels = [rng.integers(0, classes, shape, np.int32)] if classes else []
    return [rng.random((*shape, 3), np.float32), known, *labels]


def allowed(network: Callable[..., Any], truth: np.ndarray, image: np.ndarray, *others: Any) -> float:
    """By how much an answer may differ from `truth`, the network's own to `image` and `others`.

    Another order of sums is no error, and no network answers more exactly than it takes its picture: the image with
    each number moved to one of its two neighbours in float32 says what rounding makes of this one.
    """
    up = np.random.default_rng(0).random(image.shape) < 0.5
    nudged = np.nextafter(image, np.where(up, np.float32(2), np.float32(-1)))
    change = float(np.max(np.abs(np.asarray(network(nudged, *others)) - truth)))
    return min(max(TOLERANCE, NUDGES * change), MOST) if np.isfinite(change) else TOLERANCE


def make_program(
    method: Method, arrays: Mapping[str, np.ndarray], platforms: Sequence[str], size: int | None = None
) -> bytes:
    """Serializes `make_fill`, traced for sizes that nobody knows yet: batch, and multiples of the method's stride.

    Of `arrays`, flat as they lie in the bundle, only names, shapes and types count; each of `platforms`, such as "cpu",
    "cuda" and "tpu", keeps the forms that are fast on it; `size` is height and width where they are known, see
    `fixed_size`. UserError where the method needs sizes that are known.
    """
    side = f"{size}, {size}" if size else f"{method.stride}*h, {method.stride}*w"
    batch, height, width = export.symbolic_shape(f"batch, {side}")
    floats = [jax.ShapeDtypeStruct((batch, height, width, channels), jnp.float32) for channels in (3, 1)]
    labels = [jax.ShapeDtypeStruct((batch, height, width), jnp.int32)] if method.num_labels else []
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in arrays.items()}
    try:
        with _without_paths():
            exported = export.export(jax.jit(make_fill(method)), platforms=platforms)(shapes, *floats, *labels)
    except NOT_SYMBOLIC as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"this method cannot be traced for sizes that are not known yet ({first}); leave the StableHLO program "
            "out with --no_stablehlo"
        ) from error
    return bytes(exported.serialize())


# JAX notes for each operation where in the sources it stands: in whose folders they lie is nobody's business, and the
# lines of those who call us make no other program.
PLACELESS = {"jax_include_full_tracebacks_in_locations": False, "jax_hlo_source_file_canonicalization_regex": ".*"}


@contextlib.contextmanager
def _without_paths() -> Iterator[None]:
    before = {name: getattr(jax.config, name) for name in PLACELESS}
    for name, value in PLACELESS.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


log = logging.getLogger(__name__)
CHECKED = ((2, 3, 5), (1, 7, 3))  # batch, and height and width in strides


def check_program(made: bytes, arrays: Mapping[str, np.ndarray], trained: Trained, platforms: Sequence[str]) -> None:
    """Compares a program with its network at odd sizes, on a CPU where it is for one: accelerators round as they like.

    `made` is what `make_program` returned for `arrays` and `platforms`, which came from `trained`; a UserError where
    they differ by as much as is `allowed` or more.
    """
    device = _device(platforms)
    if device is None:
        log.warning("%s was not checked: this machine has no %s", PROGRAM, " or ".join(platforms))
        return
    stride, size, classes = trained.method.stride, fixed_size(trained.config), trained.method.num_labels
    checked = ((2, size // stride, size // stride),) if size else CHECKED
    differences, most = [], []
    with jax.default_device(device), telling(f"comparing {PROGRAM} with the network, which compiles both"):
        answer = jax.jit(export.deserialize(bytearray(made)).call)
        truth = jax.jit(make_fill(in_full_precision(trained.config["method"])))
        for batch, rows, columns in checked:
            inputs = example((batch, rows * stride, columns * stride), classes)
            expected = np.asarray(truth(dict(arrays), *inputs))
            differences.append(float(np.max(np.abs(np.asarray(answer(dict(arrays), *inputs)) - expected))))
            most.append(allowed(functools.partial(truth, dict(arrays)), expected, *inputs))
    sizes = " and ".join(f"{columns * stride}x{rows * stride}" for _, rows, columns in checked)
    if not all(difference < limit for difference, limit in zip(differences, most)):  # nor NaN
        raise UserError(
            f"{PROGRAM} differs from the network by {max(differences):.1e} at {sizes}; leave it out: --no_stablehlo"
        )
    log.info("checked %s against the network at %s: largest difference %.1e", PROGRAM, sizes, max(differences))


def _device(platforms: Sequence[str]) -> jax.Device | None:
    """A CPU, or the default device; None where the program is not for it."""
    if "cpu" in platforms:
        return jax.local_devices(backend="cpu")[0]
    default = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    return jax.local_devices()[0] if default in platforms else None
