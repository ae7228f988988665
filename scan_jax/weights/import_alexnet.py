"""AlexNet (Krizhevsky 2014) from torchvision's ImageNet weights, convolutions only."""

from __future__ import annotations

import pathlib

from scan_jax.weights.registry import torchvision
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State

# convolution -> its index in torchvision's `features`, and its kernel [h,w,I,O]
LAYOUT = {
    "conv1": (0, (11, 11, 3, 64)),
    "conv2": (3, (5, 5, 64, 192)),
    "conv3": (6, (3, 3, 192, 384)),
    "conv4": (8, (3, 3, 384, 256)),
    "conv5": (10, (3, 3, 256, 256)),
}


def read(path: pathlib.Path) -> Tree:
    """{"conv1": {"kernel": [11,11,3,64], "bias": [64]}, ...} float32, from a `.pth` or `.safetensors` file."""
    state = State(path, "torchvision AlexNet")
    return {name: state.convolution(f"features.{index}", shape) for name, (index, shape) in LAYOUT.items()}


IMPORTERS = {"alexnet": torchvision("alexnet-owt-7be5be79.pth", read)}
