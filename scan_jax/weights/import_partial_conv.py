"""Partial convolution's U-Net (Liu et al. 2018) from its PyTorch port by naoto0804.

The port divides by the number of known values under the kernel where eq. (1) divides by their share of the window: the
window's size is therefore taken out of its kernels.
"""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State

PUBLISHED_SIZE = 256
KERNELS = (7, 5, 5)  # of the encoder's first levels; all others are 3


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of such a generator says of it: the settings that its arrays tell, and the size."""
    params = tree["params"]["generator"]
    depth = sum(name.startswith("enc") for name in params)
    method = {"name": "partial_conv", "width": params["enc1"]["kernel"].shape[3], "depth": depth}
    return {"method": method, "data": {"size": PUBLISHED_SIZE}}


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `partial_conv`, float32.

    {"params": {"generator": ...}, "stats": {"generator": {"batch_stats": ...}}}
    """
    state = State(path, "U-Net of partial convolutions", "model")
    params: Tree = {}
    stats: Tree = {}
    widths = _widths(state)
    for ours, theirs, size, inputs, outputs in _levels(widths):
        kernel = state.kernel(f"{theirs}.conv.input_conv.weight", (size, size, inputs, outputs))
        kernel = kernel / (size * size * inputs)  # for a division by the known share of the window
        if ours in ("enc1", "dec1"):
            params[ours] = {"kernel": kernel}
            continue
        norm, running = state.batch_norm(f"{theirs}.bn", outputs)
        params[ours], stats[ours] = {"conv": {"kernel": kernel}, "norm": norm}, {"norm": {"norm": running}}
    params["dec1"]["bias"] = state.array("dec_1.conv.input_conv.bias", (widths[0],))
    return {"params": {"generator": params}, "stats": {"generator": {"batch_stats": stats}}}


def _widths(state: State) -> list[int]:
    """Channels of the image and of each level of the encoder, as the first level and the number of levels tell."""
    first = state.shape("enc_1.conv.input_conv.weight")[0]
    depth = 1
    while f"enc_{depth + 1}.conv.input_conv.weight" in state:
        depth += 1
    return [3, *(first * min(2**level, 8) for level in range(depth))]


def _levels(widths: list[int]) -> Iterator[tuple[str, str, int, int, int]]:
    """Our name, theirs, kernel size, channels in and out of all levels."""
    for level, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        size = KERNELS[level - 1] if level <= len(KERNELS) else 3
        yield f"enc{level}", f"enc_{level}", size, inputs, outputs
        yield f"dec{level}", f"dec_{level}", 3, outputs + inputs, inputs


IMPORTERS = {
    "partial_conv": Importer(
        file="1000000.pth",
        origin="https://github.com/naoto0804/pytorch-inpainting-with-partial-conv",
        licence="MIT",
        read=read,
        config=config,
    )
}
