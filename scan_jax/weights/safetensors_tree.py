"""Trees of arrays on disk: one safetensors file, names joined by "/", written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_dtypes as ml_dtypes  # registers bfloat16, which safetensors asks NumPy for by its name
import numpy as np
import safetensors
import safetensors.numpy

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError

Tree = dict[str, Any]  # a nested dict whose leaves are arrays
CONTENT_HASH = "content_sha256"  # reserved metadata key: tells a flipped bit from a good file


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """{"a": {"b": x}} -> {"a/b": x}; subtrees without leaves have no place in a file and vanish.

    ValueError for a key that is empty, no string, or holds the separator "/" (it would come back as a subtree);
    TypeError for a leaf that is no array (a list, None, a string).
    """
    flat: dict[str, np.ndarray] = {}
    for key, node in tree.items():
        if not isinstance(key, str) or not key or "/" in key:
            raise ValueError(f"tree keys must be non-empty strings without '/', not {prefix}{key!r}")
        if isinstance(node, Mapping):
            flat.update(flatten(node, f"{prefix}{key}/"))
        elif not hasattr(node, "shape") or not hasattr(node, "dtype"):
            raise TypeError(f"the leaf {prefix}{key} must be an array, not {type(node).__name__}")
        else:
            # safetensors writes strided memory as it lies; ascontiguousarray would make a vector of a scalar.
            flat[prefix + key] = np.asarray(node, order="C")
    return flat


def unflatten(flat: Mapping[str, Any]) -> Tree:
    """{"a/b": x} -> {"a": {"b": x}}; a ValueError where one name is both a leaf and a branch ("a" beside "a/b")."""
    tree: Tree = {}
    for name, leaf in flat.items():
        *branches, last = name.split("/")
        node = tree
        for branch in branches:
            node = node.setdefault(branch, {})
            if not isinstance(node, dict):
                raise ValueError(f"{branch!r} in {name!r} is both an array and a subtree")
        if last in node:
            raise ValueError(f"{name!r} is both an array and a subtree")
        node[last] = leaf
    return tree


def content_sha256(flat: Mapping[str, np.ndarray]) -> str:
    """Hex digest over names, dtypes, shapes and bytes; the order of the names does not matter."""
    digest = hashlib.sha256()
    for name in sorted(flat):
        array = np.asarray(flat[name], order="C")
        digest.update(f"{name} {array.dtype} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save(path: str | os.PathLike[str], tree: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Writes `tree` and `metadata` (text to text) to `path`: the whole file or, whatever goes wrong, nothing.

    A UserError where the file cannot be written (no access, disk full): an older file at `path` is then still whole.
    Other trees than nested dicts of arrays are refused, see `flatten`.
    """
    path = pathlib.Path(path)
    flat = flatten(tree)
    noted = {**(metadata or {}), CONTENT_HASH: content_sha256(flat)}
    write_atomically(path, _with_metadata(safetensors.numpy.save(flat), noted))


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """A file's bytes with metadata, in order of its keys: safetensors 0.8.0 writes several in another order each time,
    and who exports twice should have one hash.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(content[8:end])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at multiples of it
    return len(text).to_bytes(8, "little") + text + content[end:]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of any safetensors file by name, in its dtypes, and its metadata; their bytes are taken as they are.

    A UserError where the file is missing, unreadable or cut short, or of a type of fewer than 16 bits (float8_e4m3fn).
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 (not a mapping)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(f"{path} is damaged or no safetensors file ({error}); make or copy it anew") from error
    except (AttributeError, TypeError) as error:  # what its NumPy reader says of types that NumPy has not
        raise UserError(f"{path} has tensors of a type that is not read ({error}); save them as float32") from error


def grow(path: str | os.PathLike[str], flat: Mapping[str, np.ndarray]) -> Tree:
    """`unflatten` of what was read from `path`; a UserError where one name is both an array and a subtree."""
    try:
        return unflatten(flat)
    except ValueError as error:
        raise UserError(f"{path} is damaged or no safetensors file ({error}); make or copy it anew") from error


def load(path: str | os.PathLike[str]) -> tuple[Tree, dict[str, str]]:
    """The tree (NumPy arrays, in the file's dtypes) and the metadata of any safetensors file; errors as of `read`."""
    flat, metadata = read(path)
    tree = grow(path, flat)
    expected = metadata.pop(CONTENT_HASH, None)
    if expected is not None and expected != content_sha256(flat):
        raise UserError(f"{path} is damaged: its arrays are not those that were saved; make or copy it anew")
    return tree, metadata
