"""EdgeConnect's four published files come back as this toolkit's variables."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_names
from imported import arrays, assert_fills_holes, assert_holds, imported, write
from small_networks import small_trained

from scan_jax.core.errors import UserError
from scan_jax.core.types import Example
from scan_jax.methods.api import build_method

SIZES = {"name": "edge_connect", "width": 4, "critic_width": 6, "blocks": 2}
NO_FEATURES = {"loss": {"perceptual": 0.0, "style": 0.0}}


@functools.cache
def variables():
    return small_trained({**SIZES, **NO_FEATURES}).variables


def states():
    params, stats = variables().params, variables().stats
    vectors = stats["generator"]["spectral"]["edge"]
    return {
        "EdgeModel_gen": torch_names.edge_connect_generator(params["generator"]["edge"], vectors),
        "EdgeModel_dis": torch_names.critic(params["edge_critic"], stats["edge_critic"]),
        "InpaintingModel_gen": torch_names.edge_connect_generator(params["generator"]["completion"]),
        "InpaintingModel_dis": torch_names.critic(params["critic"], stats["critic"]),
    }


def bundle_of(folder, files, named="InpaintingModel_gen.safetensors"):
    for name, state in files.items():
        section = "generator" if name.endswith("gen") else "discriminator"
        write((folder / name).with_suffix(named[named.index(".") :]), state, section)
    return imported("edge_connect", folder / named)


@pytest.mark.parametrize("named", ["InpaintingModel_gen.pth", "EdgeModel_gen.safetensors", "EdgeModel_dis.safetensors"])
def test_every_array_comes_back_whichever_file_is_named(tmp_path, named):
    wanted = {"params": variables().params, "stats": variables().stats}
    assert_holds(bundle_of(tmp_path, states(), named), wanted, SIZES, "CC BY-NC 4.0")


def test_without_critics_there_are_generators(tmp_path):
    files = {name: state for name, state in states().items() if name.endswith("gen")}
    assert set(arrays(bundle_of(tmp_path, files))["params"]) == {"generator"}


def test_files_of_old_pytorch_hold_the_divided_kernel_instead_of_v(tmp_path):
    """Then the edge generator must divide by what PyTorch divided by, although u is no exact singular vector."""
    files, rng = states(), np.random.default_rng(0)
    for state in (files["EdgeModel_gen"], files["EdgeModel_dis"], files["InpaintingModel_dis"]):
        for name in [key for key in state if key.endswith("weight_v")]:
            layer = name.removesuffix("_v")
            state[layer] = state[f"{layer}_orig"] / np.float32(1.7)
            state[f"{layer}_u"] = state[f"{layer}_u"] + 0.1 * rng.normal(size=state[f"{layer}_u"].shape)
            state[f"{layer}_u"] = np.float32(state[f"{layer}_u"] / np.linalg.norm(state[f"{layer}_u"]))
            del state[name]
    found = arrays(bundle_of(tmp_path, files))
    layers = found["params"]["generator"]["edge"], found["stats"]["generator"]["spectral"]["edge"]
    for name in ("in", "down1", "up0"):
        kernel, vectors = layers[0][name]["kernel"], layers[1][name]["vectors"]
        sigma = vectors["v"] @ kernel.reshape(-1, kernel.shape[-1]) @ vectors["u"]
        assert sigma == pytest.approx(1.7, rel=1e-5)


def test_the_other_generator_s_file_must_be_there_and_be_of_the_same_size(tmp_path):
    files = states()
    edges = files.pop("EdgeModel_gen")
    with pytest.raises(UserError, match=r"EdgeModel_gen\.safetensors is missing"):
        bundle_of(tmp_path, files)
    files["EdgeModel_gen"] = {key: value for key, value in edges.items() if "middle.1" not in key}
    with pytest.raises(UserError, match="different widths or depths"):
        bundle_of(tmp_path, files)


@pytest.mark.parametrize(
    ("file", "name", "change", "message"),
    [
        ("InpaintingModel_gen", "encoder.4.weight", None, r"no generator of EdgeConnect's Inpa.*has no 'encoder\.4\.w"),
        ("EdgeModel_gen", "encoder.4.weight_orig", (8, 5, 4, 4), r"weight_orig' has shape \(8, 5, 4, 4\), not \(8, 4,"),
        ("EdgeModel_dis", "conv3.0.weight_u", (7,), r"no critic of EdgeConnect's EdgeModel.*\(7,\), not \(24,\)"),
    ],
)
def test_another_network_is_refused_by_its_first_array_that_differs(tmp_path, file, name, change, message):
    files = states()
    del files[file][name]
    if change:
        files[file][name] = np.zeros(change, np.float32)
    with pytest.raises(UserError, match=message):
        bundle_of(tmp_path, files)


@pytest.mark.slow
def test_an_imported_network_fills_holes(tmp_path):
    assert_fills_holes(bundle_of(tmp_path, states()))


def test_the_published_sizes_are_the_defaults():
    """So that a config of the published network needs no sizes."""
    example = Example(jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1)))
    shapes = jax.eval_shape(build_method({"name": "edge_connect", **NO_FEATURES}).init, jax.random.key(0), example)
    assert shapes.params["generator"]["edge"]["block7"]["plain"]["kernel"].shape == (3, 3, 256, 256)
