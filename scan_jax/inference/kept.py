"""What follows from code and settings alone, kept beside JAX's compiled programs: tracing a network takes a second."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from jax import export

import scan_jax
from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.device import compiler_options
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array

CODE = ("core", "inference", "layers", "methods", "models", "ops")  # the packages that it follows from
_DIGEST = 32  # bytes


def place_of(kind: type, section: Mapping[str, Any]) -> Path | None:
    """Where files about a class with these settings begin; None where compiled programs are kept on no disk."""
    folder = jax.config.values["jax_compilation_cache_dir"]
    if not folder or "://" in folder or not jax.config.values["jax_enable_compilation_cache"]:
        return None
    root = Path(scan_jax.__file__).parent
    versions = [metadata.version(package) for package in ("jax", "flax")]
    hasher = hashlib.sha256(json.dumps([section, str(kind), versions], sort_keys=True, default=str).encode())
    for path in sorted(path for package in CODE for path in (root / package).rglob("*.py")):
        hasher.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return Path(folder) / f"scan_jax-{hasher.hexdigest()[:32]}"


def write(path: Path, content: bytes) -> None:
    """Keeps `content`; a cache that cannot be written to costs time alone."""
    with contextlib.suppress(UserError):
        write_atomically(path, content)


class Program:
    """A function of arrays, compiled once for each of their shapes, as `jax.jit` does.

    Where compiled programs are kept on a disk, what was traced is kept there too, so that another process need not.
    """

    def __init__(self, function: Callable[..., Array], place: Callable[[], Path | None]) -> None:
        """`place` says where its files begin, None where nothing is kept; it is asked when the function first runs."""
        self._function, self._place = function, place
        self._runs: dict[object, Callable[..., Array]] = {}

    def __call__(self, *given: Any) -> Array:
        """On trees of arrays on one device."""
        leaves, tree = jax.tree.flatten(given)
        key = (tree, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if key not in self._runs:
            self._runs[key] = self._traced(leaves, tree)
        return self._runs[key](*leaves)

    def _traced(self, leaves: list[Any], tree: Any) -> Callable[..., Array]:
        """For leaves like these."""

        def function(*leaves: Any) -> Array:
            return self._function(*jax.tree.unflatten(tree, leaves))

        place, options = self._place(), compiler_options(jax.devices()[:1])
        if place is None:
            return jax.jit(function, compiler_options=options)
        shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
        flags = {
            name: value for name, value in jax.config.values.items() if isinstance(value, bool | int | float | str)
        }
        flags = {name: value for name, value in flags.items() if "cache" not in name}
        follows_from = f"{jax.default_backend()} {tree} {shapes} {sorted(flags.items())}"
        path = place.with_name(f"{place.name}-{hashlib.sha256(follows_from.encode()).hexdigest()[:32]}.traced")
        traced = _read(path)
        if traced is None:
            traced = export.export(jax.jit(function))(*shapes)
            content = bytes(traced.serialize())
            write(path, hashlib.sha256(content).digest() + content)
        return jax.jit(traced.call, compiler_options=options)


def _read(path: Path) -> export.Exported | None:
    """What was kept, or None; its hash comes first."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    content = kept[_DIGEST:]
    return export.deserialize(bytearray(content)) if hashlib.sha256(content).digest() == kept[:_DIGEST] else None
