"""InceptionV3 (Szegedy et al. 2016) from pytorch-fid's copy of TensorFlow's 2015 release, without its classifier.

A batch normalisation after each convolution is folded into it: with running statistics it is one more linear map.
"""

from __future__ import annotations

import pathlib

import numpy as np

from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import Shape, State

EPSILON = 1e-3  # under the root, beside the running variance

STEM: dict[str, Shape] = {
    "Conv2d_1a_3x3": (3, 3, 3, 32),
    "Conv2d_2a_3x3": (3, 3, 32, 32),
    "Conv2d_2b_3x3": (3, 3, 32, 64),
    "Conv2d_3b_1x1": (1, 1, 64, 80),
    "Conv2d_4a_3x3": (3, 3, 80, 192),
}


def _block_a(channels: int, pooled: int) -> dict[str, Shape]:
    return {
        "branch1x1": (1, 1, channels, 64),
        "branch5x5_1": (1, 1, channels, 48),
        "branch5x5_2": (5, 5, 48, 64),
        "branch3x3dbl_1": (1, 1, channels, 64),
        "branch3x3dbl_2": (3, 3, 64, 96),
        "branch3x3dbl_3": (3, 3, 96, 96),
        "branch_pool": (1, 1, channels, pooled),
    }


def _block_c(width: int) -> dict[str, Shape]:
    return {
        "branch1x1": (1, 1, 768, 192),
        "branch7x7_1": (1, 1, 768, width),
        "branch7x7_2": (1, 7, width, width),
        "branch7x7_3": (7, 1, width, 192),
        "branch7x7dbl_1": (1, 1, 768, width),
        "branch7x7dbl_2": (7, 1, width, width),
        "branch7x7dbl_3": (1, 7, width, width),
        "branch7x7dbl_4": (7, 1, width, width),
        "branch7x7dbl_5": (1, 7, width, 192),
        "branch_pool": (1, 1, 768, 192),
    }


def _block_e(channels: int) -> dict[str, Shape]:
    return {
        "branch1x1": (1, 1, channels, 320),
        "branch3x3_1": (1, 1, channels, 384),
        "branch3x3_2a": (1, 3, 384, 384),
        "branch3x3_2b": (3, 1, 384, 384),
        "branch3x3dbl_1": (1, 1, channels, 448),
        "branch3x3dbl_2": (3, 3, 448, 384),
        "branch3x3dbl_3a": (1, 3, 384, 384),
        "branch3x3dbl_3b": (3, 1, 384, 384),
        "branch_pool": (1, 1, channels, 192),
    }


BLOCKS: dict[str, dict[str, Shape]] = {
    "Mixed_5b": _block_a(192, 32),
    "Mixed_5c": _block_a(256, 64),
    "Mixed_5d": _block_a(288, 64),
    "Mixed_6a": {
        "branch3x3": (3, 3, 288, 384),
        "branch3x3dbl_1": (1, 1, 288, 64),
        "branch3x3dbl_2": (3, 3, 64, 96),
        "branch3x3dbl_3": (3, 3, 96, 96),
    },
    **{f"Mixed_6{letter}": _block_c(width) for letter, width in zip("bcde", (128, 160, 160, 192))},
    "Mixed_7a": {
        "branch3x3_1": (1, 1, 768, 192),
        "branch3x3_2": (3, 3, 192, 320),
        "branch7x7x3_1": (1, 1, 768, 192),
        "branch7x7x3_2": (1, 7, 192, 192),
        "branch7x7x3_3": (7, 1, 192, 192),
        "branch7x7x3_4": (3, 3, 192, 192),
    },
    "Mixed_7b": _block_e(1280),
    "Mixed_7c": _block_e(2048),
}


def read(path: pathlib.Path) -> Tree:
    """{"Conv2d_1a_3x3": {"conv": {"kernel", "bias"}}, "Mixed_5b": {"branch1x1": {"conv": ...}, ...}, ...}, HWIO."""
    state = State(path, "InceptionV3 of pytorch-fid")
    tree: Tree = {name: {"conv": _folded(state, name, shape)} for name, shape in STEM.items()}
    for block, units in BLOCKS.items():
        tree[block] = {name: {"conv": _folded(state, f"{block}.{name}", shape)} for name, shape in units.items()}
    return tree


def _folded(state: State, name: str, shape: Shape) -> dict[str, np.ndarray]:
    """The convolution and its batch normalisation as one: {"kernel": [h,w,I,O], "bias": [O]} float32."""
    weight = state.kernel(f"{name}.conv.weight", shape)
    scale, shift, mean, variance = (
        state.array(f"{name}.bn.{part}", shape[3:]).astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(variance + EPSILON)  # [O]
    return {"kernel": (weight * factor).astype(np.float32), "bias": (shift - mean * factor).astype(np.float32)}


IMPORTERS = {
    "inception_v3": Importer(
        file="pt_inception-2015-12-05-6726825d.pth",
        sha256="6726825d",  # the name holds the first eight digits, and no more is published
        origin="https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights",
        licence="Apache-2.0 (TensorFlow, pytorch-fid)",
        read=read,
    )
}
