"""EdgeConnect's four published files come back as this toolkit's variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_names
from filled_holes import assert_fills_holes
from small_networks import small_trained

from scan_jax.errors import UserError
from scan_jax.methods.api import build_method
from scan_jax.run_layout import BUNDLE
from scan_jax.types import Example
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights

SECTION = {
    "name": "edge_connect",
    "width": 4,
    "critic_width": 6,
    "blocks": 2,
    "loss": {"perceptual": 0.0, "style": 0.0},
}


@pytest.fixture(scope="module")
def variables():
    return small_trained(SECTION).variables


def states(variables):
    """By file."""
    params, stats = variables.params, variables.stats
    vectors = stats["generator"]["spectral"]["edge"]
    return {
        "EdgeModel_gen": torch_names.edge_connect_generator(params["generator"]["edge"], vectors),
        "EdgeModel_dis": torch_names.critic(params["edge_critic"], stats["edge_critic"]),
        "InpaintingModel_gen": torch_names.edge_connect_generator(params["generator"]["completion"]),
        "InpaintingModel_dis": torch_names.critic(params["critic"], stats["critic"]),
    }


def write(folder, files):
    for name, state in files.items():
        safetensors_tree.save(folder / f"{name}.safetensors", state)
    return folder / "InpaintingModel_gen.safetensors"


def load(path, folder):
    return safetensors_tree.load(import_weights("edge_connect", str(path), out=str(folder / "made")) / BUNDLE)[0]


def assert_same(found, wanted):
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize("named", ["InpaintingModel_gen", "EdgeModel_gen", "EdgeModel_dis"])
def test_every_array_comes_back_whichever_file_is_named(variables, tmp_path, named):
    write(tmp_path, states(variables))
    found = load(tmp_path / f"{named}.safetensors", tmp_path)
    assert_same(found, {"params": variables.params, "stats": variables.stats})


def test_pth_files_are_read_out_of_what_a_training_keeps(variables, tmp_path):
    torch = pytest.importorskip("torch")
    for name, state in states(variables).items():
        section = "generator" if name.endswith("gen") else "discriminator"
        tensors = {key: torch.tensor(np.array(value)) for key, value in state.items()}
        torch.save({"iteration": 7, section: tensors}, tmp_path / f"{name}.pth")
    found = load(tmp_path / "InpaintingModel_gen.pth", tmp_path)
    assert_same(found, {"params": variables.params, "stats": variables.stats})


def test_without_critics_there_are_generators(variables, tmp_path):
    files = {name: state for name, state in states(variables).items() if name.endswith("gen")}
    found = load(write(tmp_path, files), tmp_path)
    assert set(found["params"]) == {"generator"}


def test_files_of_old_pytorch_hold_the_divided_kernel_instead_of_v(variables, tmp_path):
    """Then the edge generator must divide by what PyTorch divided by, although u is no exact singular vector."""
    files, rng = states(variables), np.random.default_rng(0)
    for state in (files["EdgeModel_gen"], files["EdgeModel_dis"], files["InpaintingModel_dis"]):
        for name in [key for key in state if key.endswith("weight_v")]:
            layer = name.removesuffix("_v")
            state[layer] = state[f"{layer}_orig"] / np.float32(1.7)
            state[f"{layer}_u"] = state[f"{layer}_u"] + 0.1 * rng.normal(size=state[f"{layer}_u"].shape)
            state[f"{layer}_u"] = np.float32(state[f"{layer}_u"] / np.linalg.norm(state[f"{layer}_u"]))
            del state[name]
    found = load(write(tmp_path, files), tmp_path)
    layers = found["params"]["generator"]["edge"], found["stats"]["generator"]["spectral"]["edge"]
    for name in ("in", "down1", "up0"):
        kernel, vectors = layers[0][name]["kernel"], layers[1][name]["vectors"]
        sigma = vectors["v"] @ kernel.reshape(-1, kernel.shape[-1]) @ vectors["u"]
        assert sigma == pytest.approx(1.7, rel=1e-5)


def test_the_other_generator_s_file_must_be_there(variables, tmp_path):
    files = states(variables)
    del files["EdgeModel_gen"]
    with pytest.raises(UserError, match=r"EdgeModel_gen\.safetensors is missing"):
        load(write(tmp_path, files), tmp_path)


@pytest.mark.parametrize(
    ("file", "name", "change", "message"),
    [
        ("InpaintingModel_gen", "encoder.4.weight", None, r"no generator of EdgeConnect's Inpa.*has no 'encoder\.4\.w"),
        ("EdgeModel_gen", "encoder.4.weight_orig", (8, 5, 4, 4), r"weight_orig' has shape \(8, 5, 4, 4\), not \(8, 4,"),
        ("EdgeModel_dis", "conv3.0.weight_u", (7,), r"no critic of EdgeConnect's EdgeModel.*\(7,\), not \(24,\)"),
    ],
)
def test_another_network_is_refused_by_its_first_array_that_differs(variables, tmp_path, file, name, change, message):
    files = states(variables)
    if change is None:
        del files[file][name]
    else:
        files[file][name] = np.zeros(change, np.float32)
    with pytest.raises(UserError, match=message):
        load(write(tmp_path, files), tmp_path)


def test_generators_of_two_sizes_are_refused(variables, tmp_path):
    files = states(variables)
    files["EdgeModel_gen"] = {key: value for key, value in files["EdgeModel_gen"].items() if "middle.1" not in key}
    with pytest.raises(UserError, match="different widths or depths"):
        load(write(tmp_path, files), tmp_path)


def test_what_would_run_code_is_refused(variables, tmp_path):
    torch = pytest.importorskip("torch")
    write(tmp_path, {})
    for name in ("EdgeModel_gen", "InpaintingModel_gen"):
        torch.save({"generator": np.random.default_rng}, tmp_path / f"{name}.pth")
    with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
        load(tmp_path / "InpaintingModel_gen.pth", tmp_path)


def test_an_imported_network_fills_holes(variables, tmp_path):
    path = write(tmp_path, states(variables))
    assert_fills_holes(import_weights("edge_connect", str(path), out=str(tmp_path / "made")))


def test_the_published_sizes_are_the_defaults():
    """So that a config of the published network needs no sizes."""
    shapes = jax.eval_shape(
        build_method({"name": "edge_connect", "loss": SECTION["loss"]}).init,
        jax.random.key(0),
        Example(jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1))),
    )
    assert shapes.params["generator"]["edge"]["block7"]["plain"]["kernel"].shape == (3, 3, 256, 256)
