"""RFR's generator in the layout of the public code comes back as this toolkit's parameters."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from imported import assert_fills_holes, assert_holds, imported, write
from lively_variables import lively_variables
from torch_names import batch_norm, convolution

from scan_jax.errors import UserError
from scan_jax.models.rfr import Rfr

# Ours -> their convolutions and normalisation.
PARTIAL = {"down": (("Pconv1",), "bn1"), "rim": (("Pconv2",), "bn20"), "shrink": (("Pconv21", "Pconv22"), "bn2")}
BOTTLENECK = {"narrow": "1", "look": "2", "widen": "3"}


@functools.cache
def variables():
    """Random arrays of every shape that the generator has."""
    image = jnp.zeros((1, 32, 32, 3))
    return lively_variables(Rfr(8, recurrences=1), image, image[..., :1], train=False)


def official_state():
    """The public state dict that holds these variables."""
    params, stats, state = variables()["params"], variables()["batch_stats"], {}
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


@pytest.mark.parametrize("file", ["g_1.safetensors", "g_7.pth"])
def test_every_array_comes_back(tmp_path, file):
    bundle = imported("rfr", write(tmp_path / file, official_state(), "generator"))
    stats = {"generator": {"batch_stats": variables()["batch_stats"]}}
    wanted = {"params": {"generator": variables()["params"]}, "stats": stats}
    assert_holds(bundle, wanted, {"name": "rfr", "width": 8}, "MIT")


@pytest.mark.slow
def test_an_imported_network_fills_holes(tmp_path):
    assert_fills_holes(imported("rfr", write(tmp_path / "g_1.safetensors", official_state())))


def test_another_network_and_the_variant_for_smaller_holes_are_refused(tmp_path):
    other = write(tmp_path / "other.safetensors", {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no RFR generator: it has no 'Pconv1\.weight'"):
        imported("rfr", other)
    state = official_state()
    state["Pconv21.weight"] = state["Pconv21.weight"][:, :, 1:6, 1:6]
    with pytest.raises(UserError, match=r"'Pconv21\.weight' has shape \(8, 8, 5, 5\), not \(8, 8, 7, 7\)"):
        imported("rfr", write(tmp_path / "g_1.safetensors", state))
    assert not (tmp_path / "bundle").exists()
