"""Frozen feature networks by name, with the weights that were imported for them; never with random ones."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import NotHere, UserError
from scan_jax.core.types import Array
from scan_jax.features import chains, inception_v3, squeezenet
from scan_jax.weights import registry, safetensors_tree

Tree = Any  # a nested dict of arrays

# Name in configs -> the module, called with `layers` and `dtype`, and the layers that it has.
NETWORKS: dict[str, tuple[Callable[..., nn.Module], tuple[str, ...]]] = {
    "alexnet": (chains.AlexNet, chains.ALEXNET_LAYERS),
    "inception_v3": (inception_v3.InceptionV3, inception_v3.LAYERS),
    "squeezenet": (squeezenet.SqueezeNet, squeezenet.LAYERS),
    "squeezenet1_1": (functools.partial(squeezenet.SqueezeNet, variant="squeezenet1_1"), squeezenet.LAYERS),
    "vgg16": (functools.partial(chains.VGG, variant="vgg16"), chains.layer_names("vgg16")),
    "vgg19": (chains.VGG, chains.layer_names("vgg19")),
}


@dataclasses.dataclass(frozen=True)
class FeatureSettings:
    """A config's choice of a frozen network behind losses."""

    name: Literal["alexnet", "inception_v3", "squeezenet", "squeezenet1_1", "vgg16", "vgg19"] = "vgg19"
    path: str = ""  # its imported weights; empty for where `scan_jax weights import` puts them


@dataclasses.dataclass(frozen=True)
class Features:
    """A frozen network."""

    # (params, image [B,H,W,3] RGB in [0, 1]) -> activations by layer, each [B,h,w,C]; pure, may be jitted.
    apply: Callable[[Tree, Array], dict[str, Array]]
    # The arrays that `apply` needs, no others; float32. Hand them to the step as an argument, not as constants.
    params: Tree


def load_features(name: str, layers: tuple[str, ...], path: str = "", *, dtype: Any = jnp.float32) -> Features:
    """The network `name`, cut after the deepest of `layers`, with its imported weights.

    Args:
      name: a key of `NETWORKS`, such as "vgg19" or "squeezenet".
      layers: the activations that are wanted, such as `losses.features.PERCEPTUAL_LAYERS[name]`.
      path: a file written by `python -m scan_jax weights import`; empty for the default folder's.
      dtype: of the convolutions and activations; bfloat16 halves their memory.

    Raises:
      UserError: an unknown name or layer; weights that are missing (with the command that imports them), damaged, or
        of another network.
    """
    network = build_network(name, layers, dtype=dtype)
    params = load_imported(name, _shapes(network), path)

    def apply(params: Tree, image: Array) -> dict[str, Array]:
        return cast(dict[str, Array], network.apply({"params": params}, image))

    return Features(apply=apply, params=params)


def load_imported(name: str, wanted: Mapping[str, Any], path: str = "") -> Tree:
    """Imported arrays of any importer, such as a head on top of a network; file and errors as for `load_features`.

    `wanted` is a tree of shapes and dtypes; what else the file holds is left there.
    """
    file, tree, _ = _read(name, path)
    return jax.tree.map(jnp.asarray, _take(tree, wanted, file))


def weights_name(name: str, path: str = "") -> str:
    """What a definition says of imported weights: "weights 6726825d", or "other weights ..." for unpublished ones."""
    _, _, metadata = _read(name, path)
    kind = "weights" if metadata.get("weights") == "published" else "other weights"
    return f"{kind} {metadata.get('source_sha256', 'of unknown origin')[:8]}"


def _read(name: str, path: str) -> tuple[pathlib.Path, Tree, Mapping[str, str]]:
    """The file of imported weights, its tree and its metadata."""
    file = pathlib.Path(path).expanduser() if path else registry.imported_path(name)
    if not file.is_file():
        source = registry.importer(name)
        raise NotHere(
            f"the {name!r} weights are missing: there is no file {file}; get {source.file} "
            f"(sha256 {source.sha256}, from {source.origin}) and run: {registry.import_command(name, path)}"
        )
    tree, metadata = safetensors_tree.load(file)
    if metadata.get("network") != name:
        raise UserError(
            f"{file} was not imported as {name!r} weights (it says {metadata.get('network')!r}); "
            f"run: {registry.import_command(name, path)}"
        )
    return file, tree, metadata


class LossFeatures:
    """The frozen network behind a method's losses: its shapes follow from the config, its weights are read to train.

    Attributes:
      network: the module, without weights.
    """

    def __init__(self, settings: FeatureSettings, layers: tuple[str, ...], dtype: Any = jnp.float32) -> None:
        """Raises UserError for an unknown name or layer, or a network that no loss reads."""
        if not layers:
            where = "config.method.features.name"
            raise UserError(f"{where}: no loss looks through {settings.name!r}; choose vgg19 or squeezenet")
        self._settings = settings
        self.network = build_network(settings.name, layers, dtype=dtype)

    def load(self) -> Tree:
        """The imported weights; a UserError where they are missing names the file and the command that imports it."""
        return load_imported(self._settings.name, self.shapes(), self._settings.path)

    def shapes(self) -> Tree:
        """What `load` returns, without its memory and without any file."""
        return _shapes(self.network)

    def __call__(self, params: Tree, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> activations by layer, each [B,h,w,C]."""
        return cast(dict[str, Array], self.network.apply({"params": params}, image))


def build_network(name: str, layers: tuple[str, ...], *, dtype: Any = jnp.float32) -> nn.Module:
    """The module without weights; a UserError for an unknown name or layer, or no layer."""
    if name not in NETWORKS:
        raise UserError(
            f"no features are called {name!r}{did_you_mean(name, NETWORKS)}; there are: {', '.join(NETWORKS)}"
        )
    build, known_layers = NETWORKS[name]
    for layer in layers:
        if layer not in known_layers:
            raise UserError(f"{name} has no layer {layer!r}{did_you_mean(layer, known_layers)}")
    if not layers:
        raise UserError(f"name at least one layer of {name}: {', '.join(known_layers)}")
    return build(layers=tuple(layers), dtype=dtype)


def _shapes(network: nn.Module) -> Tree:
    """Shapes and dtypes of a module's parameters; they do not depend on the image's size."""
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    return jax.eval_shape(network.init, jax.random.key(0), image)["params"]


def _take(tree: Mapping[str, Any], wanted: Mapping[str, Any], file: pathlib.Path) -> Tree:
    """The part of `tree` that has the names and shapes of `wanted`."""
    taken = {}
    for key, node in wanted.items():
        if key not in tree:
            raise UserError(f"{file} lacks {key!r}; import it again")
        if isinstance(node, Mapping):
            taken[key] = _take(tree[key], node, file)
        elif tree[key].shape != node.shape or tree[key].dtype != node.dtype:
            raise UserError(f"{file}: {key!r} has shape {tree[key].shape}, not {node.shape}; import it again")
        else:
            taken[key] = tree[key]
    return taken
