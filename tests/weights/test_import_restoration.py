"""Networks of partial convolutions in the layouts of the public codes come back as this toolkit's parameters."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from imported import arrays, assert_fills_holes, assert_holds, imported, write
from lively_variables import lively_variables
from torch_names import batch_norm, convolution

from scan_jax.core.errors import UserError
from scan_jax.models.partial_conv_unet import PartialConvUNet
from scan_jax.models.rfr import Rfr

# RFR's convolutions and normalisations: ours -> theirs.
PARTIAL = {"down": (("Pconv1",), "bn1"), "rim": (("Pconv2",), "bn20"), "shrink": (("Pconv21", "Pconv22"), "bn2")}
BOTTLENECK = {"narrow": "1", "look": "2", "widen": "3"}


@functools.cache
def rfr_variables():
    image = jnp.zeros((1, 32, 32, 3))
    return lively_variables(Rfr(8, recurrences=1), image, image[..., :1], train=False)


def rfr_state():
    """The public state dict that holds these variables."""
    params, stats, state = rfr_variables()["params"], rfr_variables()["batch_stats"], {}
    for ours, (convs, theirs) in PARTIAL.items():
        for index, conv in enumerate(convs, start=1):
            convolution(state, conv, params[ours][f"conv{index}"])
        batch_norm(state, theirs, params[ours], stats[ours])
    for name in params["reason"].keys() - {"attention"}:
        layer, theirs = params["reason"][name], f"RFRModule.{name[:3]}_{name[3:]}"
        convolution(state, f"{theirs}.0", layer["conv"], transposed=name in ("dec1", "dec2", "dec3"))
        batch_norm(state, f"{theirs}.1", layer, stats["reason"][name])
    attention = params["reason"]["attention"]
    state["RFRModule.att.att.ratio"] = attention["ratio"].reshape(1)
    convolution(state, "RFRModule.att.combiner", attention["mix"])
    convolution(state, "Tconv", params["up"]["conv"], transposed=True)
    batch_norm(state, "bn3", params["up"], stats["up"])
    convolution(state, "tail1", params["tail"])
    convolution(state, "out", params["rgb"])
    for ours, index in BOTTLENECK.items():
        convolution(state, f"tail2.conv{index}", params["bottleneck"][ours]["conv"])
        batch_norm(state, f"tail2.bn{index}", params["bottleneck"][ours], stats["bottleneck"][ours])
    return state


@functools.cache
def unet_variables():
    image = jnp.zeros((1, 32, 32, 3))
    return lively_variables(PartialConvUNet(width=4, depth=5), image, image[..., :1])


def unet_state():
    """The port's state dict: its kernels hold the window's size, for they are divided by sums and not by shares."""
    state, tree = {}, unet_variables()
    for name, level in tree["params"].items():
        theirs = f"{name[:3]}_{name[3:]}"
        layer = level.get("conv", level)
        window = np.prod(layer["kernel"].shape[:3])
        state[f"{theirs}.conv.input_conv.weight"] = layer["kernel"].transpose(3, 2, 0, 1) * np.float32(window)
        state[f"{theirs}.conv.mask_conv.weight"] = np.ones_like(state[f"{theirs}.conv.input_conv.weight"])
        if "bias" in layer:
            state[f"{theirs}.conv.input_conv.bias"] = layer["bias"]
        if "norm" in level:
            batch_norm(state, f"{theirs}.bn", level, tree["batch_stats"][name])
    return state


# Their variables and state, the section of the file that has it, our method, and how exactly kernels come back.
NETWORKS = {
    "rfr": (rfr_variables, rfr_state, "generator", {"width": 8}, 0.0),
    "partial_conv": (unet_variables, unet_state, "model", {"width": 4, "depth": 5}, 1e-6),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("file", ["1.safetensors", "g_7.pth"])
def test_every_array_comes_back(tmp_path, name, file):
    variables, state, section, settings, rtol = NETWORKS[name]
    bundle = imported(name, write(tmp_path / file, state(), section))
    stats = {"generator": {"batch_stats": variables()["batch_stats"]}}
    wanted = {"params": {"generator": variables()["params"]}, "stats": stats}
    assert_holds(bundle, wanted, {"name": name, **settings}, "MIT", rtol=rtol)


def test_a_file_of_bfloat16_is_read_as_float32(tmp_path):
    """By the command in a process of its own: here something else has made NumPy know the type."""
    rounded = {name: np.asarray(value).astype(ml_dtypes.bfloat16) for name, value in rfr_state().items()}
    path = write(tmp_path / "bf16.safetensors", rounded)
    command = [sys.executable, "-m", "scan_jax", "weights", "import", "rfr", path, f"--out={tmp_path / 'out'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    single = {name: value.astype(np.float32) for name, value in rounded.items()}
    wanted = arrays(imported("rfr", write(tmp_path / "single.safetensors", single)))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), arrays(tmp_path / "out"), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_imported_network_fills_holes(tmp_path, name):
    assert_fills_holes(imported(name, write(tmp_path / "1.safetensors", NETWORKS[name][1]())))


def test_another_network_is_refused_by_the_array_it_lacks_or_with_both_shapes(tmp_path):
    narrow, window = np.s_[:9], np.s_[:, :, 1:6, 1:6]  # that of RFR's variant for smaller holes
    for name, lacks, array, part, shapes in (
        ("rfr", "RFR generator: it has no 'Pconv1", "Pconv21", window, r"\(8, 8, 5, 5\), not \(8, 8, 7, 7\)"),
        (
            *("partial_conv", "U-Net of partial convolutions: it has no 'enc_1.conv.input_conv"),
            *("enc_3.conv.input_conv", narrow, r"\(9, 8, 5, 5\), not \(16, 8, 5, 5\)"),
        ),
    ):
        other = write(tmp_path / "other.safetensors", {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
        with pytest.raises(UserError, match=f"is no {lacks}"):
            imported(name, other)
        state = NETWORKS[name][1]()
        state[f"{array}.weight"] = state[f"{array}.weight"][part]
        with pytest.raises(UserError, match=f"'{array}.weight' has shape {shapes}"):
            imported(name, write(tmp_path / "1.safetensors", state))
        assert not (tmp_path / "bundle").exists()
