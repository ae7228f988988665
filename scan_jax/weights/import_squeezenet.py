"""SqueezeNet 1.1 (Iandola et al. 2016) without its top layer, from the ImageNet weights of Keras or of torchvision."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights.registry import Importer, torchvision
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import Shape, State

# fire module -> channels: in, squeezed, out of each of the two expanding convolutions
FIRES = {
    "fire2": (64, 16, 64),
    "fire3": (128, 16, 64),
    "fire4": (128, 32, 128),
    "fire5": (256, 32, 128),
    "fire6": (256, 48, 192),
    "fire7": (384, 48, 192),
    "fire8": (384, 64, 256),
    "fire9": (512, 64, 256),
}
# layer -> its index in torchvision's `features`, where poolings have one of their own
INDICES = {"conv1": 0, **dict(zip(FIRES, (3, 4, 6, 7, 9, 10, 11, 12)))}


def read_keras(path: pathlib.Path) -> Tree:
    """{"conv1": {"kernel", "bias"}, "fire2": {"squeeze1x1": {...}, "expand1x1", "expand3x3"}, ...}, HWIO, float32."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"reading {path.name} needs h5py, which is not installed: pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            weights = file.get("model_weights", file)  # a saved model holds its weights one level down
            return _tree(lambda layer, shape: _keras_convolution(weights, layer, shape, path))
    except OSError as error:
        raise UserError(f"{path} is damaged or no HDF5 file ({error}); get it anew") from error


def _keras_convolution(weights: Any, layer: str, shape: Shape, path: pathlib.Path) -> dict[str, np.ndarray]:
    """The kernel [h,w,I,O] and bias [O] of one Keras layer, found by the names that its group lists."""
    if layer not in weights:
        raise UserError(f"{path} is no SqueezeNet 1.1 in Keras' layout: it has no layer {layer!r}")
    group = weights[layer]
    arrays = {}
    for part, expected in (("kernel", shape), ("bias", shape[-1:])):
        listed = [name.decode() if isinstance(name, bytes) else name for name in group.attrs.get("weight_names", ())]
        found = [name for name in listed if name.rsplit("/", 1)[-1].split(":")[0] == part and name in group]
        if len(found) != 1:
            raise UserError(f"{path} is no SqueezeNet 1.1 in Keras' layout: layer {layer!r} lists no {part}")
        arrays[part] = np.asarray(group[found[0]], dtype=np.float32)
        if arrays[part].shape != expected:
            raise UserError(f"{path}: the {part} of {layer!r} has shape {arrays[part].shape}, not {expected}")
    return arrays


def read_torch(path: pathlib.Path) -> Tree:
    """The same tree from torchvision's file."""
    state = State(path, "torchvision SqueezeNet 1.1")

    def convolution(layer: str, shape: Shape) -> dict[str, np.ndarray]:
        fire, _, part = layer.partition("/")
        name = f"features.{INDICES[fire]}"
        return state.convolution({"": name, "squeeze1x1": f"{name}.squeeze"}.get(part, f"{name}.{part}"), shape)

    return _tree(convolution)


def _tree(convolution: Callable[[str, Shape], dict[str, np.ndarray]]) -> Tree:
    """All convolutions of the network, each taken by our name, such as "fire2/squeeze1x1", and its kernel's shape."""
    tree: Tree = {"conv1": convolution("conv1", (3, 3, 3, 64))}
    for fire, (channels, squeezed, expanded) in FIRES.items():
        tree[fire] = {
            "squeeze1x1": convolution(f"{fire}/squeeze1x1", (1, 1, channels, squeezed)),
            "expand1x1": convolution(f"{fire}/expand1x1", (1, 1, squeezed, expanded)),
            "expand3x3": convolution(f"{fire}/expand3x3", (3, 3, squeezed, expanded)),
        }
    return tree


IMPORTERS = {
    "squeezenet": Importer(
        file="squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        sha256="2d935d8c102ad1232484a77da8e6fbdf3ff4ab608974a0d8b6283115ffff204f",
        origin="https://github.com/rcmalli/keras-squeezenet/releases",
        licence="MIT (Refik Can Malli)",
        read=read_keras,
    ),
    "squeezenet1_1": torchvision("squeezenet1_1-b8a52dc0.pth", read_torch),
}
