"""What the importers of LPIPS' heads (Zhang et al. 2018, version 0.1) share: one weight for each channel of a layer."""

from __future__ import annotations

import pathlib

from scan_jax.weights.registry import Source
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_convolutions import State

FOLDER = "https://github.com/richzhang/PerceptualSimilarity/blob/master/lpips/weights/v0.1"


def source(name: str, file: str, sha256: str) -> Source:
    """One of the published files."""
    return Source(name=name, file=file, sha256=sha256, origin=f"{FOLDER}/{file}", licence="BSD-2-Clause")


def read_heads(path: pathlib.Path, title: str, widths: tuple[int, ...]) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, from a `.pth` or `.safetensors` file.

    Args:
      path: the file.
      title: what it should hold, for messages.
      widths: channels of the network's activations that are compared, from the first.

    Raises:
      UserError: the file cannot be read, holds other heads, or PyTorch is needed and absent.
    """
    state = State(path, title)
    return {
        f"lin{i}": state.array(f"lin{i}.model.1.weight", (1, width, 1, 1)).reshape(width)
        for i, width in enumerate(widths)
    }
