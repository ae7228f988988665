"""LPIPS' heads (Zhang et al. 2018, version 0.1): one weight for each channel of a network's activations."""

from __future__ import annotations

import functools
import pathlib

from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State

FOLDER = "https://github.com/richzhang/PerceptualSimilarity/blob/master/lpips/weights/v0.1"
# name -> published file, its sha256, the network in words, channels of the activations from the first
HEADS: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
    "lpips_alex": (
        "alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "AlexNet",
        (64, 192, 384, 256, 256),
    ),
    "lpips_squeeze": (
        "squeeze.pth",
        "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
        "SqueezeNet 1.1",
        (64, 128, 256, 384, 384, 512, 512),
    ),
    "lpips_vgg16": (
        "vgg.pth",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        "VGG-16",
        (64, 128, 256, 512, 512),
    ),
}


def read(path: pathlib.Path, name: str) -> Tree:
    """{"lin0": [C], "lin1": [C], ...} float32, of a key of `HEADS`."""
    _, _, network, widths = HEADS[name]
    state = State(path, f"LPIPS head on {network}")
    return {
        f"lin{i}": state.array(f"lin{i}.model.1.weight", (1, width, 1, 1)).reshape(width)
        for i, width in enumerate(widths)
    }


IMPORTERS = {
    name: Importer(file, f"{FOLDER}/{file}", "BSD-2-Clause", functools.partial(read, name=name), sha256)
    for name, (file, sha256, _, _) in HEADS.items()
}
