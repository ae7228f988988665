"""Which published weights are known, where imported ones lie, and whether a file is what it says it is.

The module path is the registry: `scan_jax/weights/import_vgg19.py` makes "vgg19" known; it has a `SOURCE` and a
`read(path) -> tree` and, for a generator, a `config(tree)` of its bundle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import os
import pathlib
import pkgutil
from types import ModuleType

import scan_jax.weights
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

FOLDER_VARIABLE = "SCAN_JAX_WEIGHTS"
_PREFIX = "import_"


@dataclasses.dataclass(frozen=True)
class Source:
    """One published file of weights.

    Attributes:
      name: what it is called here; the imported file is `<name>.safetensors`.
      file: its name where it was published.
      sha256: hex digest of the file, or its first digits where no more was published; empty where nothing was, so that
        any file of the right layout is taken, as "other" weights.
      origin: where it was published.
      licence: as stated there.
    """

    name: str
    file: str
    sha256: str
    origin: str
    licence: str


def names() -> list[str]:
    """All networks that have an importer."""
    modules = (module.name for module in pkgutil.iter_modules(scan_jax.weights.__path__))
    return sorted(module.removeprefix(_PREFIX) for module in modules if module.startswith(_PREFIX))


def importer(name: str) -> ModuleType:
    """The module that knows `name`: `SOURCE` and `read(path) -> tree`.

    Raises:
      UserError: there is none.
    """
    if name not in names():
        raise UserError(f"no weights are called {name!r}{did_you_mean(name, names())}; there are: {', '.join(names())}")
    return importlib.import_module(f"scan_jax.weights.{_PREFIX}{name}")


def folder() -> pathlib.Path:
    """Where imported weights lie: $SCAN_JAX_WEIGHTS, or ~/.cache/scan_jax/weights."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return pathlib.Path(chosen).expanduser() if chosen else pathlib.Path.home() / ".cache" / "scan_jax" / "weights"


def is_bundle(name: str) -> bool:
    """Whether `name` is a whole generator, which becomes a bundle; a feature network becomes a file."""
    return hasattr(importer(name), "config")


def imported_path(name: str) -> pathlib.Path:
    """The file or, for a bundle, the folder that an import of `name` writes unless told otherwise."""
    return folder() / (name if is_bundle(name) else f"{name}.safetensors")


def sha256_of(path: pathlib.Path) -> str:
    """Hex digest of a file.

    Raises:
      UserError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def matches(sha256: str, source: Source) -> bool:
    """Whether a file's digest is the one that was published."""
    return bool(source.sha256) and sha256.startswith(source.sha256)


def import_command(name: str, out: str = "") -> str:
    """The line to type that imports `name`, to the default folder or to `out`."""
    source = importer(name).SOURCE
    return f"python -m scan_jax weights import {name} /path/to/{source.file}" + (f" --out={out}" if out else "")
