"""LPIPS' head on VGG-16 (Zhang et al. 2018, version 0.1)."""

from __future__ import annotations

import pathlib

from scan_jax.weights.lpips_heads import read_heads, source
from scan_jax.weights.safetensors_tree import Tree

SOURCE = source("lpips_vgg16", "vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868")
WIDTHS = (64, 128, 256, 512, 512)  # channels of the activations


def read(path: pathlib.Path) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, from a `.pth` or `.safetensors` file.

    Raises:
      UserError: the file cannot be read, holds another head, or PyTorch is needed and absent.
    """
    return read_heads(path, "LPIPS head on VGG-16", WIDTHS)
