"""VGG-16 (Simonyan & Zisserman 2015) from torchvision's ImageNet weights, convolutions only."""

from __future__ import annotations

import pathlib

from scan_jax.weights.registry import Source
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torchvision_vgg import read_vgg, vgg_layout

SOURCE = Source(
    name="vgg16",
    file="vgg16-397923af.pth",
    sha256="397923af",  # torchvision puts the first eight digits into the name and publishes no more
    origin="https://download.pytorch.org/models/vgg16-397923af.pth",
    licence="BSD-3-Clause (torchvision)",
)

DEPTHS = (2, 2, 3, 3, 3)  # convolutions in each block


def layout() -> dict[str, tuple[int, int, int]]:
    """Convolution -> (its index in torchvision's `features`, channels in, channels out)."""
    return vgg_layout(DEPTHS)


def read(path: pathlib.Path) -> Tree:
    """{"conv1_1": {"kernel": [3,3,I,O], "bias": [O]}, ...} float32, from a `.pth` or torchvision-named `.safetensors`.

    Raises:
      UserError: the file cannot be read, is no VGG-16, or PyTorch is needed and absent.
    """
    return read_vgg(path, "VGG-16", DEPTHS)
