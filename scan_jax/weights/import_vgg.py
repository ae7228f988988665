"""VGG-16 and VGG-19 (Simonyan & Zisserman 2015) from torchvision's ImageNet weights, convolutions only."""

from __future__ import annotations

import functools
import pathlib

from scan_jax.weights.registry import torchvision
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State

DEPTHS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}  # convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # of the five blocks


def read(path: pathlib.Path, title: str) -> Tree:
    """{"conv1_1": {"kernel": [3,3,I,O], "bias": [O]}, ...} float32, of a network whose `title` is a key of `DEPTHS`."""
    state = State(path, f"torchvision {title}")
    return {
        name: state.convolution(f"features.{index}", (3, 3, channels, width))
        for name, (index, channels, width) in layout(title).items()
    }


def layout(title: str) -> dict[str, tuple[int, int, int]]:
    """Convolution -> (its index in torchvision's `features`, channels in, channels out)."""
    table, index, channels = {}, 0, 3
    for block, (width, depth) in enumerate(zip(WIDTHS, DEPTHS[title]), start=1):
        for i in range(1, depth + 1):
            table[f"conv{block}_{i}"] = (index, channels, width)
            index, channels = index + 2, width  # a ReLU has an index of its own
        index += 1  # and so has the pooling
    return table


IMPORTERS = {
    "vgg16": torchvision("vgg16-397923af.pth", functools.partial(read, title="VGG-16")),
    "vgg19": torchvision("vgg19-dcbd9e11.pth", functools.partial(read, title="VGG-19")),
}
