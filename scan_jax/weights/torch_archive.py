"""Tensors of the archives that PyTorch writes, checkpoints and TorchScript alike, without PyTorch.

Of their pickle, only tensors and containers come to be. Whatever else it names, classes of a training or of a compiled
program, is a shell here that keeps what is put into it; no code of the file is run.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib
import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from scan_jax.core.errors import UserError

TYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
}
PICKLE = "/data.pkl"  # in an archive, below a folder of any name
# What a file raises that was cut short or changed, or is another.
DAMAGED = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError)
NOT_READ = (*DAMAGED, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError)


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor of an archive, not yet read."""

    archive: zipfile.ZipFile
    file: str  # in the archive
    kind: np.dtype  # of its numbers
    offset: int  # of the first, in numbers
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers

    def read(self) -> np.ndarray:
        """float32; a ValueError where the file is too short for it."""
        numbers = np.frombuffer(self.archive.read(self.file), self.kind)[self.offset :]
        count = int(np.prod(self.shape))
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        if min((0, *self.shape, *self.strides)) < 0 or max(count, last + 1 if count else 0) > numbers.size:
            raise ValueError(f"{self.file} is too short")
        strides = [stride * self.kind.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, strides).astype(np.float32)


class _Shell:
    """An object of a class that is not known here: it can be made and filled."""

    state: Any = None

    def __init__(self, *given: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """As a list does, but that nothing is kept."""


class _Reader(pickle.Unpickler):
    """Makes containers, numbers, text, `Tensor`s, and a `_Shell` for everything else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(folder + PICKLE)))
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        return type(name, (_Shell,), {})

    def persistent_load(self, pid: Any) -> Any:
        """What `_tensor` needs of a storage."""
        _, kind, key, *_ = pid
        return self._archive, f"{self._folder}/data/{key}", TYPES.get(kind.__name__)


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> Tensor | None:
    """None for numbers that are no weights, such as counts."""
    archive, file, kind = storage
    return Tensor(archive, file, kind, offset, tuple(shape), tuple(strides)) if kind else None


def read(path: pathlib.Path, choose: Callable[[Collection[str]], str]) -> dict[str, np.ndarray]:
    """The tensors of one network, float32.

    Args:
      path: the archive, or a zip file that holds one, called .ckpt, among others.
      choose: is given the names of all tensors, sections of a training and objects inside of others joined by dots, and
        returns what those of the network begin with; this is taken off.

    Raises:
      UserError: the file is no such archive, or is damaged; and what `choose` raises.
    """
    try:
        with zipfile.ZipFile(path) as outer, _inner(outer) as archive:
            folders = [name.removesuffix(PICKLE) for name in archive.namelist() if name.endswith(PICKLE)]
            found = dict(_named(_Reader(archive, folders[0]).load(), ""))
            prefix = choose(found)
            return {name.removeprefix(prefix): one.read() for name, one in found.items() if name.startswith(prefix)}
    except NOT_READ as error:
        line = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged or no archive that PyTorch wrote ({line}); get it anew") from error


def _inner(outer: zipfile.ZipFile) -> zipfile.ZipFile:
    """The checkpoint inside of a zip file that is none itself."""
    inside = next((name for name in outer.namelist() if name.endswith(".ckpt")), None)
    return zipfile.ZipFile(io.BytesIO(outer.read(inside))) if inside else outer


def _named(node: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """All tensors below a node, by their path."""
    if isinstance(node, Tensor):
        yield name, node
    branches = node.state if isinstance(node, _Shell) else node
    if isinstance(branches, Mapping):
        for key, branch in branches.items():
            yield from _named(branch, f"{name}.{key}" if name else str(key))
