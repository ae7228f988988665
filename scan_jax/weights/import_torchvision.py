"""AlexNet (Krizhevsky 2014), VGG-16 and VGG-19 (Simonyan & Zisserman 2015) from torchvision's ImageNet weights.

Convolutions only.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping

from scan_jax.weights.registry import torchvision
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import Shape, State

Layout = Mapping[str, tuple[int, Shape]]  # convolution -> its index in torchvision's `features`, its kernel [h,w,I,O]
DEPTHS = {"VGG-16": (2, 2, 3, 3, 3), "VGG-19": (2, 2, 4, 4, 4)}  # convolutions in each block
WIDTHS = (64, 128, 256, 512, 512)  # of the five blocks
ALEXNET: Layout = {
    "conv1": (0, (11, 11, 3, 64)),
    "conv2": (3, (5, 5, 64, 192)),
    "conv3": (6, (3, 3, 192, 384)),
    "conv4": (8, (3, 3, 384, 256)),
    "conv5": (10, (3, 3, 256, 256)),
}


def layout(title: str) -> Layout:
    """Of the network "AlexNet", "VGG-16" or "VGG-19"."""
    if title == "AlexNet":
        return ALEXNET
    table, index, channels = {}, 0, 3
    for block, (width, depth) in enumerate(zip(WIDTHS, DEPTHS[title]), start=1):
        for i in range(1, depth + 1):
            table[f"conv{block}_{i}"] = (index, (3, 3, channels, width))
            index, channels = index + 2, width  # a ReLU has an index of its own
        index += 1  # and so has the pooling
    return table


def read(path: pathlib.Path, title: str) -> Tree:
    """{"conv1_1": {"kernel": [h,w,I,O], "bias": [O]}, ...} float32, from a `.pth` or `.safetensors` file."""
    state = State(path, f"torchvision {title}")
    return {name: state.convolution(f"features.{index}", shape) for name, (index, shape) in layout(title).items()}


IMPORTERS = {
    "alexnet": torchvision("alexnet-owt-7be5be79.pth", functools.partial(read, title="AlexNet")),
    "vgg16": torchvision("vgg16-397923af.pth", functools.partial(read, title="VGG-16")),
    "vgg19": torchvision("vgg19-dcbd9e11.pth", functools.partial(read, title="VGG-19")),
}
