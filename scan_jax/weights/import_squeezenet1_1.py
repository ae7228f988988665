"""SqueezeNet 1.1 (Iandola et al. 2016) from torchvision's ImageNet weights, without its classifier."""

from __future__ import annotations

import pathlib

from scan_jax.weights.import_squeezenet import FIRES
from scan_jax.weights.registry import Source
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_convolutions import State

SOURCE = Source(
    name="squeezenet1_1",
    file="squeezenet1_1-b8a52dc0.pth",
    sha256="b8a52dc0",  # torchvision puts the first eight digits into the name and publishes no more
    origin="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    licence="BSD-3-Clause (torchvision)",
)

# fire module -> its index in torchvision's `features`, where poolings have one of their own
INDICES = dict(zip(FIRES, (3, 4, 6, 7, 9, 10, 11, 12)))


def read(path: pathlib.Path) -> Tree:
    """{"conv1": {"kernel", "bias"}, "fire2": {"squeeze1x1": {...}, "expand1x1", "expand3x3"}, ...}, HWIO, float32.

    Raises:
      UserError: the file cannot be read, is no SqueezeNet 1.1, or PyTorch is needed and absent.
    """
    state = State(path, "torchvision SqueezeNet 1.1")
    tree: Tree = {"conv1": state.convolution("features.0", (3, 3, 3, 64))}
    for fire, (channels, squeezed, expanded) in FIRES.items():
        name = f"features.{INDICES[fire]}"
        tree[fire] = {
            "squeeze1x1": state.convolution(f"{name}.squeeze", (1, 1, channels, squeezed)),
            "expand1x1": state.convolution(f"{name}.expand1x1", (1, 1, squeezed, expanded)),
            "expand3x3": state.convolution(f"{name}.expand3x3", (3, 3, squeezed, expanded)),
        }
    return tree
