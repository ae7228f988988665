"""VGG-19 (Simonyan & Zisserman 2015) from torchvision's ImageNet weights, convolutions only."""

from __future__ import annotations

import pathlib

from scan_jax.weights.registry import Source
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torchvision_vgg import read_vgg, vgg_layout

SOURCE = Source(
    name="vgg19",
    file="vgg19-dcbd9e11.pth",
    sha256="dcbd9e11",  # torchvision puts the first eight digits into the name and publishes no more
    origin="https://download.pytorch.org/models/vgg19-dcbd9e11.pth",
    licence="BSD-3-Clause (torchvision)",
)

DEPTHS = (2, 2, 4, 4, 4)  # convolutions in each block


def layout() -> dict[str, tuple[int, int, int]]:
    """Convolution -> (its index in torchvision's `features`, channels in, channels out)."""
    return vgg_layout(DEPTHS)


def read(path: pathlib.Path) -> Tree:
    """{"conv1_1": {"kernel": [3,3,I,O], "bias": [O]}, ...} float32, from a `.pth` or torchvision-named `.safetensors`.

    Raises:
      UserError: the file cannot be read, is no VGG-19, or PyTorch is needed and absent.
    """
    return read_vgg(path, "VGG-19", DEPTHS)
