"""VGG-19 (Simonyan & Zisserman 2015) from torchvision's ImageNet weights, convolutions only."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.errors import UserError
from scan_jax.weights import safetensors_tree
from scan_jax.weights.registry import Source
from scan_jax.weights.torch_file import load_state

SOURCE = Source(
    name="vgg19",
    file="vgg19-dcbd9e11.pth",
    sha256="dcbd9e11",  # torchvision puts the first eight digits into the name and publishes no more
    origin="https://download.pytorch.org/models/vgg19-dcbd9e11.pth",
    licence="BSD-3-Clause (torchvision)",
)

WIDTHS = (64, 128, 256, 512, 512)  # of the five blocks
DEPTHS = (2, 2, 4, 4, 4)  # convolutions in each


def layout() -> dict[str, tuple[int, int, int]]:
    """Convolution -> (its index in torchvision's `features`, channels in, channels out)."""
    table, index, channels = {}, 0, 3
    for block, (width, depth) in enumerate(zip(WIDTHS, DEPTHS), start=1):
        for i in range(1, depth + 1):
            table[f"conv{block}_{i}"] = (index, channels, width)
            index, channels = index + 2, width  # a ReLU has an index of its own
        index += 1  # and so has the pooling
    return table


def read(path: pathlib.Path) -> safetensors_tree.Tree:
    """{"conv1_1": {"kernel": [3,3,I,O], "bias": [O]}, ...} float32, from a `.pth` or torchvision-named `.safetensors`.

    Raises:
      UserError: the file cannot be read, is no VGG-19, or PyTorch is needed and absent.
    """
    state = safetensors_tree.load(path)[0] if path.suffix == ".safetensors" else load_state(path)
    return {
        name: {
            # OIHW -> HWIO
            "kernel": _take(state, f"features.{index}.weight", (width, channels, 3, 3), path).transpose(2, 3, 1, 0),
            "bias": _take(state, f"features.{index}.bias", (width,), path),
        }
        for name, (index, channels, width) in layout().items()
    }


def _take(state: Mapping[str, Any], key: str, shape: tuple[int, ...], path: pathlib.Path) -> np.ndarray:
    """One array of the expected shape, float32."""
    if key not in state:
        raise UserError(f"{path} is no torchvision VGG-19: it has no {key!r}")
    array = np.asarray(state[key], dtype=np.float32)
    if array.shape != shape:
        raise UserError(f"{path} is no torchvision VGG-19: {key!r} has shape {array.shape}, not {shape}")
    return array
