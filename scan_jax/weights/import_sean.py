"""SEAN's generator (Zhu et al. 2020) from the official PyTorch release, or with the attention of the second paper.

Both keep one state dict, `*_net_G.pth`. Which of the two it is, and its widths and classes, follow from its arrays.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State, side_by_side, spectral

# ours -> theirs
BLOCKS = {"head": "head_0", "middle0": "G_middle_0", "middle1": "G_middle_1", **{f"up{i}": f"up_{i}" for i in range(4)}}
# Positions of the style encoder's convolutions; with attention the last one is in a list of its own.
ENCODER = {"in": "model.1", "down1": "model.4", "down2": "model.7", "up": "model.10"}
PLAIN_OUT, ATTENTIVE_OUT = "model.14", "model_last.1"
PUBLISHED_SIZE = {False: 256, True: 128}  # pixels, with attention or without it


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of such a generator says of it: the method's settings that its arrays tell, and the size.

    A UserError where encoder and decoder are of different widths, which this toolkit's generator has not.
    """
    encoder, decoder = (tree["params"]["generator"][half] for half in ("encoder", "decoder"))
    attentive = "attention" in encoder
    width, other = decoder["rgb"]["kernel"].shape[2], encoder["down1"]["kernel"].shape[3]
    if width != other:
        raise UserError(f"the decoder is {width} wide and the encoder {other}; only equal widths can be imported")
    method = {
        "name": "masked_attention",
        "num_labels": decoder["start_kernel"].shape[2],
        "width": width,
        "style_size": encoder["out"]["kernel"].shape[3],
        "label_width": decoder["head"]["norm0"]["label"]["hidden_kernel"].shape[3],
        "attention": "contextual" if attentive else "none",
        "loss": {} if attentive else {"semantic_attention": 0.0},
    }
    return {"method": method, "data": {"size": PUBLISHED_SIZE[attentive]}}


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `masked_attention`, float32, without a critic.

    {"params": {"generator": ...}, "stats": {"generator": {"batch_stats": ..., "spectral": ...}}}
    """
    state = State(path, "SEAN generator")
    start = state.convolution("fc")
    decoder = {"start_kernel": start["kernel"], "start_bias": start["bias"], "rgb": state.convolution("conv_img")}
    batch_stats, spectral = {}, {}
    for ours, theirs in BLOCKS.items():
        decoder[ours], batch_stats[ours], spectral[ours] = _block(state.under(theirs))
    return {
        "params": {"generator": {"encoder": _encoder(state.under("Zencoder")), "decoder": decoder}},
        "stats": {"generator": {"batch_stats": {"decoder": batch_stats}, "spectral": {"decoder": spectral}}},
    }


def _encoder(state: State) -> Tree:
    """The style encoder; SEAN's own does not see which pixels are known, ours then gives that channel no weight."""
    tree: Tree = {ours: state.convolution(theirs, transposed=ours == "up") for ours, theirs in ENCODER.items()}
    kernel = tree["in"]["kernel"]  # [3,3,I,C]
    tree["in"]["kernel"] = np.pad(kernel, ((0, 0), (0, 0), (0, 4 - kernel.shape[2]), (0, 0)))
    attentive = "attention.gamma" in state
    tree["out"] = state.convolution(ATTENTIVE_OUT if attentive else PLAIN_OUT)
    if attentive:
        parts = {name: state.convolution(f"attention.{name}_conv") for name in ("query", "key", "value")}
        tree["attention"] = {**parts, "gamma": state.array("attention.gamma").reshape(())}
    return tree


def _block(state: State) -> tuple[Tree, Tree, Tree]:
    """Parameters, running statistics and spectral vectors of a residual block."""
    params, batch_stats, spectral = {}, {}, {}
    for place, suffix in enumerate(("0", "1", "s") if "conv_s.weight_orig" in state else ("0", "1")):
        norm = state.under(f"ace_{suffix}")
        params[f"norm{place}"] = _norm(norm)
        batch_stats[f"norm{place}"] = {
            "norm": {
                "mean": norm.array("param_free_norm.running_mean"),
                "variance": norm.array("param_free_norm.running_var"),
            }
        }
        name = "shortcut" if suffix == "s" else f"conv{suffix}"
        params[name], spectral[name] = _spectral(state, f"conv_{suffix}")
    return params, batch_stats, spectral


def _spectral(state: State, name: str) -> tuple[Tree, Tree]:
    """Parameters and vectors of a convolution whose kernel has a spectral norm."""
    out, channels, height, width = state.shape(f"{name}.weight_orig")
    return spectral(state, name, (height, width, channels, out))


def _norm(state: State) -> Tree:
    """A region-adaptive normalisation; one without style layers has the label branch alone."""
    hidden = state.convolution("Spade.mlp_shared.0")
    tree = {
        "noise_scale": state.array("noise_var"),
        "label": {
            "hidden_kernel": hidden["kernel"],
            "hidden_bias": hidden["bias"],
            **side_by_side(state, "Spade.mlp_gamma", "Spade.mlp_beta"),
        },
    }
    if "conv_gamma.weight" in state:
        dense = [f"fc_mu{index}" for index in range(hidden["kernel"].shape[2])]  # the official code always has 19
        tree["blend"] = np.concatenate([state.array("blending_gamma"), state.array("blending_beta")])
        tree["style"] = {
            "dense": {
                "kernel": np.stack([state.array(f"{layer}.weight").T for layer in dense]),  # [classes,S,S]
                "bias": np.stack([state.array(f"{layer}.bias") for layer in dense]),
            },
            **side_by_side(state, "conv_gamma", "conv_beta"),
        }
    return tree


IMPORTERS = {
    "sean": Importer(
        file="latest_net_G.pth",
        origin="https://github.com/ZPdesu/SEAN",
        licence="CC BY-NC-SA 4.0, non-commercial",
        read=read,
        config=config,
    )
}
