"""State dicts of the public networks by PyTorch's names, made of this toolkit's variables."""

import numpy as np

BLOCK = {"dilated": 1, "plain": 5}
EDGE_CONNECT = {"in": "encoder.1", "down1": "encoder.4", "down2": "encoder.7"}
EDGE_CONNECT |= {"up1": "decoder.0", "up0": "decoder.3", "out": "decoder.7"}
REGION_NORM = {"in": "encoder_conv1", "down1": "encoder_conv2", "down2": "encoder_conv3"}
REGION_NORM |= {"up1": "decoder.0", "up0": "decoder.4", "out": "decoder.9"}
NORMS = {"in": "encoder_in1", "down1": "encoder_in2", "down2": "encoder_in3", "up1": "decoder.2", "up0": "decoder.6"}


def convolution(state, name, params, *, weight="weight", transposed=False):
    """A kernel [h,w,I,O], and a bias where there is one."""
    state[f"{name}.{weight}"] = params["kernel"].transpose((2, 3, 0, 1) if transposed else (3, 2, 0, 1))
    if "bias" in params:
        state[f"{name}.bias"] = params["bias"]


def spectral(state, name, params, vectors, *, transposed=False):
    """The same, divided by its largest singular value."""
    convolution(state, name, params, weight="weight_orig", transposed=transposed)
    height, width, inputs, _ = params["kernel"].shape
    state[f"{name}.weight_u"] = vectors["vectors"]["u"]
    state[f"{name}.weight_v"] = vectors["vectors"]["v"].reshape(height, width, inputs).transpose(2, 0, 1).reshape(-1)


def batch_norm(state, name, params, stats):
    state[f"{name}.weight"], state[f"{name}.bias"] = params["norm"]["scale"], params["norm"]["bias"]
    state[f"{name}.running_mean"] = stats["norm"]["norm"]["mean"]
    state[f"{name}.running_var"] = stats["norm"]["norm"]["variance"]
    state[f"{name}.num_batches_tracked"] = np.array(7)


def edge_connect_generator(params, vectors=None):
    """Of either generator; the one with vectors is that of the edges."""
    state = {}
    for ours, theirs in EDGE_CONNECT.items():
        kind = {"transposed": True} if ours.startswith("up") else {}
        if vectors and ours != "out":
            spectral(state, theirs, params[ours], vectors[ours], **kind)
        else:
            convolution(state, theirs, params[ours], **kind)
    for index in range(sum(name.startswith("block") for name in params)):
        for ours, place in BLOCK.items():
            name, layer = f"middle.{index}.conv_block.{place}", params[f"block{index}"][ours]
            if vectors:
                spectral(state, name, layer, vectors[f"block{index}"][ours])
            else:
                convolution(state, name, layer)
    return state


def critic(params, stats, prefix=""):
    """Of any of the three patch critics."""
    state = {}
    for name, layer in params.items():
        index = int(name.removeprefix("SpectralConv_")) + 1
        spectral(state, f"{prefix}conv{index}.0", layer, stats["spectral"][name])
    return state


def region_norm_generator(params, prefix="generator."):
    state = {}
    for ours, theirs in REGION_NORM.items():
        convolution(state, prefix + theirs, params[ours])
    for ours, theirs in NORMS.items():
        _norm(state, prefix + theirs, params[f"{ours}_norm"])
    for index in range(sum(name.startswith("block") for name in params)):
        for ours, place in BLOCK.items():
            name, block = f"{prefix}middle.{index}.conv_block", params[f"block{index}"]
            convolution(state, f"{name}.{place}", block[ours])
            _norm(state, f"{name}.{place + 1}", block[f"{ours}_norm"])
    return state


def _norm(state, name, params):
    """RN-B by its four vectors, or RN-L by its three convolutions."""
    if "hole_scale" in params:
        for ours, theirs in (("hole", "foreground"), ("known", "background")):
            state[f"{name}.{theirs}_gamma"] = params[f"{ours}_scale"]
            state[f"{name}.{theirs}_beta"] = params[f"{ours}_shift"]
        return
    convolution(state, f"{name}.sa.conv1", params["importance"])
    for place, theirs in enumerate(("gamma_conv", "beta_conv")):
        part = {key: np.asarray(params["affine"][key][..., place : place + 1]) for key in ("kernel", "bias")}
        convolution(state, f"{name}.sa.{theirs}", part)
