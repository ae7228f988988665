"""A bundle: a folder of two files that holds a trained network without its training, `config.json` and the arrays."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from scan_jax.atomic_write import write_atomically
from scan_jax.errors import UserError
from scan_jax.run_layout import BUNDLE, CONFIG
from scan_jax.weights import safetensors_tree
from scan_jax.weights.safetensors_tree import Tree


def save(folder: pathlib.Path, config: Mapping[str, Any], tree: Tree, metadata: Mapping[str, str]) -> None:
    """Writes both files, the config last: with it the bundle is whole.

    Args:
      folder: is made where it is missing.
      config: with `method`, and `data.size`, the short side in pixels that the network was trained at.
      tree: {"params": {network: ...}, "stats": {network: ...}}.
      metadata: where the arrays come from, text to text.

    Raises:
      UserError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    safetensors_tree.save(folder / BUNDLE, tree, metadata)
    write_atomically(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())


def load(folder: pathlib.Path) -> Tree:
    """{"params": ..., "stats": ...} of NumPy arrays; a network without statistics may be absent from the latter.

    Raises:
      UserError: the file is missing or damaged, or holds something else.
    """
    tree, _ = safetensors_tree.load(folder / BUNDLE)
    if "params" not in tree:
        raise UserError(f"{folder / BUNDLE} holds no networks; import or export the bundle anew")
    return {"stats": {}, **tree}
