"""Names and shapes of a method's arrays, to check what was read against; kept beside the compiled programs.

They follow from a trace of the whole initialisation, which takes longer than reading the arrays. What was traced once
is therefore noted on disk, under a hash of all that it follows from: the config's section and the code of the networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import scan_jax
from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.types import Example
from scan_jax.methods.api import Method

BLANK = 64  # pixels; no parameter's shape depends on the photograph's size
CODE = ("methods", "models", "layers", "ops")  # the rooms that shapes follow from

Shapes = dict[str, dict[str, tuple[int, ...]]]  # "params generator" -> path in the tree -> shape


def shapes_of(method: Method, section: Mapping[str, Any]) -> Shapes:
    """The shapes of all its networks, from the disk where they were noted.

    Args:
      method: whose `init` is traced where nothing is noted.
      section: that it was built from.
    """
    place = _place(method, section)
    noted = _read(place) if place else None
    if noted is not None:
        return noted
    shapes = trace(method)
    if place:
        try:
            write_atomically(place, json.dumps(shapes).encode())
        except UserError:
            return shapes  # a cache that cannot be written to costs time alone
    return shapes


def trace(method: Method) -> Shapes:
    """The shapes of all its networks."""
    key = jax.eval_shape(jax.random.key, 0)  # its shape will do: to draw it would be a compilation of its own
    wanted = jax.eval_shape(method.init, key, blank(method.num_labels))
    return {
        f"{kind} {network}": shapes_in(tree)
        for kind, trees in (("params", wanted.params), ("stats", wanted.stats))
        for network, tree in trees.items()
    }


def blank(num_labels: int) -> Example:
    """The shapes of one photograph, without arrays."""
    image, known = (jax.ShapeDtypeStruct((1, BLANK, BLANK, channels), jnp.float32) for channels in (3, 1))
    labels: Any = jax.ShapeDtypeStruct((1, BLANK, BLANK), jnp.int32) if num_labels else None
    return Example(image, known, labels)  # type: ignore[arg-type]


def shapes_in(tree: Any) -> dict[str, tuple[int, ...]]:
    """By the leaf's path."""
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _place(method: Method, section: Mapping[str, Any]) -> Path | None:
    """The file for these shapes, where compiled programs are kept on a disk."""
    folder = jax.config.values["jax_compilation_cache_dir"]
    if not folder or "://" in folder:
        return None
    root = Path(scan_jax.__file__).parent
    follows_from = [section, str(type(method)), jax.__version__]
    hasher = hashlib.sha256(json.dumps(follows_from, sort_keys=True, default=str).encode())
    for path in sorted(path for room in CODE for path in (root / room).rglob("*.py")):
        hasher.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return Path(folder) / f"scan_jax-shapes-{hasher.hexdigest()[:32]}.json"


def _read(place: Path) -> Shapes | None:
    """What was noted, or None."""
    try:
        noted = json.loads(place.read_text(encoding="utf-8"))
        return {name: {path: tuple(shape) for path, shape in tree.items()} for name, tree in noted.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None
