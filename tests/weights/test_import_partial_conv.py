"""A U-Net in the layout of the public port comes back as this toolkit's parameters."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from imported import assert_fills_holes, assert_holds, imported, write
from lively_variables import lively_variables
from torch_names import batch_norm

from scan_jax.errors import UserError
from scan_jax.models.partial_conv_unet import PartialConvUNet


@functools.cache
def variables():
    """Random arrays of every shape that the generator has."""
    image = jnp.zeros((1, 32, 32, 3))
    return lively_variables(PartialConvUNet(width=4, depth=5), image, image[..., :1])


def official_state():
    """The port's state dict: its kernels hold the window's size, for they are divided by sums and not by shares."""
    state, tree = {}, variables()
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


@pytest.mark.parametrize("file", ["1.safetensors", "7.pth"])
def test_every_array_comes_back(tmp_path, file):
    bundle = imported("partial_conv", write(tmp_path / file, official_state(), "model"))
    stats = {"generator": {"batch_stats": variables()["batch_stats"]}}
    wanted = {"params": {"generator": variables()["params"]}, "stats": stats}
    assert_holds(bundle, wanted, {"name": "partial_conv", "width": 4, "depth": 5}, "MIT", rtol=1e-6)


@pytest.mark.slow
def test_an_imported_network_fills_holes(tmp_path):
    assert_fills_holes(imported("partial_conv", write(tmp_path / "1.safetensors", official_state())))


def test_another_network_is_refused_by_the_array_it_lacks_or_with_both_shapes(tmp_path):
    other = write(tmp_path / "other.safetensors", {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no U-Net of partial convolutions: it has no 'enc_1\.conv\.input_conv"):
        imported("partial_conv", other)
    name, state = "enc_3.conv.input_conv.weight", official_state()
    state[name] = state[name][:9]
    with pytest.raises(UserError, match=r"'enc_3\.conv\.input_conv\.w.* shape \(9, 8, 5, 5\), not \(16, 8, 5, 5\)"):
        imported("partial_conv", write(tmp_path / "1.safetensors", state))
    assert not (tmp_path / "bundle").exists()
