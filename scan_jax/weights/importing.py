"""A published file of weights, checked and rewritten as safetensors."""

from __future__ import annotations

import pathlib
import pickle
from collections.abc import Mapping

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import bundle, registry, safetensors_tree
from scan_jax.weights.safetensors_tree import Tree


def import_weights(name: str, path: str, *, out: str = "", allow_other_weights: bool = False) -> pathlib.Path:
    """Checks the file at `path`, rewrites it and returns where: a safetensors file, or a bundle of a whole generator.

    Args:
      name: a network with an importer, such as "vgg19".
      path: the published file.
      out: the file or, for a generator, the folder to write; empty for the default folder's `<name>.safetensors`.
      allow_other_weights: take a file of the right layout whose hash is not the published one, and note that.

    Raises:
      UserError: unknown name, missing or damaged file, wrong hash, wrong layout, no room to write.
    """
    importer = registry.importer(name)
    given = pathlib.Path(path).expanduser()
    sha256 = registry.sha256_of(given)
    published = registry.matches(sha256, importer.SOURCE)
    if importer.SOURCE.sha256 and not (published or allow_other_weights):
        raise UserError(
            f"{given} is not the published {importer.SOURCE.file}: expected sha256 {importer.SOURCE.sha256}, "
            f"found {sha256}; get it anew, or pass --allow_other_weights if these weights are meant"
        )
    tree = importer.read(given)
    target = pathlib.Path(out).expanduser() if out else registry.imported_path(name)
    metadata = _metadata(importer.SOURCE, given, sha256, published)
    if registry.is_bundle(name):
        bundle.save(target, importer.config(tree), tree, metadata)
        return target
    _make_folder(target.parent)
    safetensors_tree.save(target, tree, metadata)
    return target


def _metadata(source: registry.Source, given: pathlib.Path, sha256: str, published: bool) -> dict[str, str]:
    """What a reader of the file must know about where it comes from."""
    return {
        "network": source.name,
        "source": given.name,
        "source_sha256": sha256,
        "weights": "published" if published else "other",
        "licence": source.licence if published or not source.sha256 else "unknown",
    }


def _make_folder(folder: pathlib.Path) -> None:
    """The folder and its parents, where they are missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def load_state(path: pathlib.Path, section: str = "") -> dict[str, np.ndarray]:
    """The tensors of a `.pth` state dict by name, float32.

    Args:
      path: the file.
      section: under which the file may keep the state dict, beside other things of a training.

    Raises:
      UserError: the file cannot be read or holds no state dict, or PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError(f"reading {path.name} needs PyTorch, which is not installed: pip install torch") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        line = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged or no PyTorch state dict ({line}); get it anew") from error
    if not isinstance(state, Mapping):
        raise UserError(f"{path} holds a {type(state).__name__}, not a state dict of tensors")
    if isinstance(state.get(section), Mapping):
        state = state[section]
    return {key: value.float().numpy() for key, value in state.items() if isinstance(value, torch.Tensor)}


def residual_settings(generator: Tree, params: Tree) -> dict[str, int]:
    """The widths and number of blocks of a config's `method`; the critic's only where there is one.

    Args:
      generator: parameters of an encoder, residual blocks and a decoder.
      params: of all networks.
    """
    told = {
        "width": generator["in"]["kernel"].shape[3],
        "blocks": sum(name.startswith("block") for name in generator),
    }
    if "critic" in params:
        told["critic_width"] = params["critic"]["SpectralConv_0"]["kernel"].shape[3]
    return told
