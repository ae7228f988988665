"""What the importers of torchvision's VGG networks (Simonyan & Zisserman 2015) share."""

from __future__ import annotations

import pathlib

from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_convolutions import State

WIDTHS = (64, 128, 256, 512, 512)  # of the five blocks


def vgg_layout(depths: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
    """Convolution -> (its index in torchvision's `features`, channels in, channels out).

    Args:
      depths: convolutions in each block.
    """
    table, index, channels = {}, 0, 3
    for block, (width, depth) in enumerate(zip(WIDTHS, depths), start=1):
        for i in range(1, depth + 1):
            table[f"conv{block}_{i}"] = (index, channels, width)
            index, channels = index + 2, width  # a ReLU has an index of its own
        index += 1  # and so has the pooling
    return table


def read_vgg(path: pathlib.Path, title: str, depths: tuple[int, ...]) -> Tree:
    """{"conv1_1": {"kernel": [3,3,I,O], "bias": [O]}, ...} float32, from a `.pth` or torchvision-named `.safetensors`.

    Args:
      path: the file.
      title: of the network, for messages.
      depths: convolutions in each block.

    Raises:
      UserError: the file cannot be read, is no such network, or PyTorch is needed and absent.
    """
    state = State(path, f"torchvision {title}")
    return {
        name: state.convolution(f"features.{index}", (3, 3, channels, width))
        for name, (index, channels, width) in vgg_layout(depths).items()
    }
