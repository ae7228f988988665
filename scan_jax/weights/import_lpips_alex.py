"""LPIPS' head on AlexNet (Zhang et al. 2018, version 0.1)."""

from __future__ import annotations

import pathlib

from scan_jax.weights.lpips_heads import read_heads, source
from scan_jax.weights.safetensors_tree import Tree

SOURCE = source("lpips_alex", "alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0")
WIDTHS = (64, 192, 384, 256, 256)  # channels of the activations


def read(path: pathlib.Path) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, from a `.pth` or `.safetensors` file.

    Raises:
      UserError: the file cannot be read, holds another head, or PyTorch is needed and absent.
    """
    return read_heads(path, "LPIPS head on AlexNet", WIDTHS)
