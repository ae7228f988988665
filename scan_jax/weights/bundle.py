"""A bundle: a folder that holds a trained network without its training, and outlives the code that wrote it.

`config.json` says what the network is, of which format the folder is and what its files hash to; `model.safetensors`
holds the arrays. An export adds `fill.stablehlo` and `README.md`. Nothing in a bundle is ever unpickled.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE, CONFIG, ONNX, PROGRAM
from scan_jax.weights import safetensors_tree
from scan_jax.weights.registry import make_folder, sha256_of
from scan_jax.weights.safetensors_tree import Tree

FORMAT = 1  # raised when older code could not read what newer code writes
SECTION = "bundle"  # of the config; bundles of older exports have none
HASHED = (BUNDLE, PROGRAM, ONNX)
GENERATOR_HASH = "generator"  # in the metadata: of the generator's parameters
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib"}
SHOWN = 12  # digits of a hash in a message


def save(
    folder: pathlib.Path,
    config: Mapping[str, Any],
    tree: Tree,
    metadata: Mapping[str, str],
    others: Mapping[str, bytes] | None = None,
) -> None:
    """Writes all files, the config last: with it the bundle is whole. UserError where the folder cannot be written to.

    Args:
      folder: is made where it is missing.
      config: with `method`, and `data.size`, the short side in pixels that the network was trained at.
      tree: {"params": {network: ...}, "stats": {network: ...}}.
      metadata: where the arrays come from, text to text.
      others: further files by name.
    """
    make_folder(folder)
    safetensors_tree.save(folder / BUNDLE, tree, metadata)
    for name, content in (others or {}).items():
        write_atomically(folder / name, content)
    hashes = {name: sha256_of(folder / name) for name in HASHED if (folder / name).is_file()}
    section = {**config.get(SECTION, {}), "format": FORMAT, "sha256": hashes}
    write_atomically(folder / CONFIG, (json.dumps({**config, SECTION: section}, indent=2) + "\n").encode())


def check(folder: pathlib.Path, config: Mapping[str, Any]) -> None:
    """UserError for a bundle of a newer format, with a pickle inside, or whose files are not those of its config."""
    _check_format(folder, config)
    _refuse_pickles(folder)
    for name, expected in _hashes(config).items():
        path = folder / name
        found = sha256_of(path) if path.is_file() else expected  # a program that somebody left out is not missed here
        if found != expected:
            raise UserError(
                f"{path} is not the file that was exported: its sha256 begins with {found[:SHOWN]}, by {CONFIG} it is "
                f"{str(expected)[:SHOWN]}; copy or export the bundle anew"
            )


def load(folder: pathlib.Path, config: Mapping[str, Any]) -> tuple[Tree, dict[str, str]]:
    """The arrays, after `check`, and what is noted beside them; UserError where the file is missing or damaged.

    {"params": ..., "stats": ...} of NumPy arrays; a network without statistics may be absent from the latter. The
    notes hold the generator's hash only where the file's own hash vouches for it.
    """
    path = folder / BUNDLE
    if BUNDLE in _hashes(config):
        flat, noted = safetensors_tree.read(path)
        tree = safetensors_tree.grow(path, flat)
    else:
        tree, noted = safetensors_tree.load(path)
        noted.pop(GENERATOR_HASH, None)
    if "params" not in tree:
        raise UserError(f"{path} holds no networks; import or export the bundle anew")
    return {"stats": {}, **tree}, noted


def _check_format(folder: pathlib.Path, config: Mapping[str, Any]) -> None:
    section = config.get(SECTION, {"format": FORMAT})
    version = section.get("format") if isinstance(section, Mapping) else None
    if not isinstance(version, int) or version < 1 or not isinstance(section.get("sha256", {}), Mapping):
        raise UserError(f"{folder / CONFIG} is damaged: its section {SECTION!r} says no format; export the bundle anew")
    if version > FORMAT:
        raise UserError(
            f"{folder} is a bundle of format {version}, and this scan_jax reads up to {FORMAT}; update scan_jax, or "
            "export the bundle anew with this one"
        )


def _refuse_pickles(folder: pathlib.Path) -> None:
    """Nothing here opens a pickle; a folder that holds one is refused all the same, for other programs would."""
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLES)
    if found:
        raise UserError(
            f"{folder} holds {found[0]}, which may be a pickle and run code where it is opened; a bundle has none: "
            "remove it, or get the bundle anew"
        )
    if not (folder / BUNDLE).is_file():
        raise UserError(f"there is no file {folder / BUNDLE}; get the bundle anew")
    with (folder / BUNDLE).open("rb") as file:
        start = file.read(9)
    is_archive, is_pickle = start[:4] == b"PK\x03\x04", start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"
    if start[8:9] != b"{" and (is_archive or is_pickle):  # a safetensors file has its header there
        kind = "an archive as PyTorch writes it, with a pickle inside" if is_archive else "a pickle"
        raise UserError(f"{folder / BUNDLE} is {kind}, and no safetensors file; it was not opened: get the bundle anew")


def _hashes(config: Mapping[str, Any]) -> Mapping[str, str]:
    """Those of the files that are checked, by name."""
    noted = config.get(SECTION, {}).get("sha256", {})
    return {name: noted[name] for name in HASHED if name in noted}
