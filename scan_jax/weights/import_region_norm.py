"""Region normalisation's networks (Yu et al. 2020) from the official PyTorch release, one file for both."""

from __future__ import annotations

import pathlib
from typing import Any

from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State, patch_critic, residual_settings, side_by_side

PUBLISHED_SIZE = 256
# Trained on several GPUs, each network's names have one level more.
GENERATORS = ("generator.", "generator.module.")
CRITICS = ("discriminator.", "discriminator.module.")
# ours -> theirs: sides of the kernels, and widths in and out by that at stride 1; into the first go the images.
ENCODER = {
    "in": ("encoder_conv1", "encoder_in1", 7, 0, 1),
    "down1": ("encoder_conv2", "encoder_in2", 4, 1, 2),
    "down2": ("encoder_conv3", "encoder_in3", 4, 2, 4),
}
DECODER = {"up1": (0, 2, 4, 2), "up0": (4, 6, 2, 1)}  # convolution, norm, widths in and, after the shuffle, out
OUT = "decoder.9"


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of these networks says of them: the widths that their arrays tell, and the size."""
    method = {"name": "region_norm", **residual_settings(tree["params"]["generator"], tree["params"])}
    return {"method": method, "data": {"size": PUBLISHED_SIZE}}


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `region_norm`, float32; without a critic where the file has none of today's layout.

    {"params": {"generator": ... (, "critic")}, "stats": {"generator": {} (, "critic")}}
    """
    state = State(path, "checkpoint of region normalisation")
    prefix = next((name for name in GENERATORS if f"{name}encoder_conv1.weight" in state), GENERATORS[0])
    params: Tree = {"generator": _generator(state, prefix)}
    stats: Tree = {"generator": {}}
    for name in CRITICS:  # the file in the repository is older than its critic
        if f"{name}conv1.0.weight_orig" in state:
            params["critic"], stats["critic"] = patch_critic(state, 3, name)
    return {"params": params, "stats": stats}


def _generator(state: State, prefix: str) -> Tree:
    """All layers of the generator."""
    width = state.shape(f"{prefix}encoder_conv1.weight")[0]
    tree: Tree = {}
    for ours, (conv, norm, side, inputs, outputs) in ENCODER.items():
        tree[ours] = state.convolution(prefix + conv, (side, side, inputs * width or 3, outputs * width))
        tree[f"{ours}_norm"] = _hole_norm(state, prefix + norm, outputs * width)
    blocks = next(index for index in range(1000) if f"{prefix}middle.{index}.conv_block.1.weight" not in state)
    for index in range(blocks):
        tree[f"block{index}"] = block = {}
        name = f"{prefix}middle.{index}.conv_block"
        for ours, position in (("dilated", 1), ("plain", 5)):
            block[ours] = state.convolution(f"{name}.{position}", (3, 3, 4 * width, 4 * width))
            block[f"{ours}_norm"] = _learned_norm(state, f"{name}.{position + 1}")
    for ours, (place, norm_place, inputs, outputs) in DECODER.items():
        shape = (3, 3, inputs * width, 4 * outputs * width)
        tree[ours] = state.convolution(f"{prefix}decoder.{place}", shape)
        tree[f"{ours}_norm"] = _learned_norm(state, f"{prefix}decoder.{norm_place}")
    return {**tree, "out": state.convolution(prefix + OUT, (7, 7, width, 3))}


def _hole_norm(state: State, name: str, channels: int) -> Tree:
    """RN-B; the foreground is the hole."""
    regions, kinds = {"hole": "foreground", "known": "background"}, {"scale": "gamma", "shift": "beta"}
    return {
        f"{region}_{kind}": state.array(f"{name}.{regions[region]}_{kinds[kind]}", (channels,))
        for region in regions
        for kind in kinds
    }


def _learned_norm(state: State, name: str) -> Tree:
    """RN-L; scale and shift come out of one convolution here."""
    affine = side_by_side(state, f"{name}.sa.gamma_conv", f"{name}.sa.beta_conv", shape=(7, 7, 1, 1))
    return {"importance": {"kernel": state.kernel(f"{name}.sa.conv1.weight", (7, 7, 2, 1))}, "affine": affine}


IMPORTERS = {
    "region_norm": Importer(
        file="x_admin.cluster.localRN-0.8RN-Net_bs_14_epoch_3.pth",
        origin="https://github.com/geekyutao/RN",
        licence="MIT",
        read=read,
        config=config,
    )
}
