"""LPIPS' head on SqueezeNet 1.1 (Zhang et al. 2018, version 0.1)."""

from __future__ import annotations

import pathlib

from scan_jax.weights.lpips_heads import read_heads, source
from scan_jax.weights.safetensors_tree import Tree

SOURCE = source("lpips_squeeze", "squeeze.pth", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76")
WIDTHS = (64, 128, 256, 384, 384, 512, 512)  # channels of the activations


def read(path: pathlib.Path) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, from a `.pth` or `.safetensors` file.

    Raises:
      UserError: the file cannot be read, holds another head, or PyTorch is needed and absent.
    """
    return read_heads(path, "LPIPS head on SqueezeNet 1.1", WIDTHS)
