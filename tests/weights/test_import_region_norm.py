"""Region normalisation's published file comes back as this toolkit's variables."""

import jax
import numpy as np
import pytest
import torch_names
from filled_holes import assert_fills_holes
from small_networks import small_trained

from scan_jax.errors import UserError
from scan_jax.run_layout import BUNDLE
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights

SECTION = {"name": "region_norm", "width": 4, "critic_width": 6, "blocks": 2}


@pytest.fixture(scope="module")
def variables():
    return small_trained(SECTION).variables


def state_of(variables, level=""):
    """`level` is what training on several GPUs puts between a network and its layers."""
    critic = torch_names.critic(variables.params["critic"], variables.stats["critic"], f"discriminator.{level}")
    labels = {"adversarial_loss.real_label": np.ones((), np.float32)}
    return torch_names.region_norm_generator(variables.params["generator"], f"generator.{level}") | critic | labels


def load(folder, state):
    safetensors_tree.save(folder / "rn.safetensors", state)
    target = import_weights("region_norm", str(folder / "rn.safetensors"), out=str(folder / "made"))
    return safetensors_tree.load(target / BUNDLE)[0]


@pytest.mark.parametrize("level", ["", "module."])
def test_every_array_comes_back(variables, tmp_path, level):
    found = load(tmp_path, state_of(variables, level))
    wanted = {"params": variables.params, "stats": {"critic": variables.stats["critic"]}}
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_a_pth_file_is_read(variables, tmp_path):
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(np.array(value)) for name, value in state_of(variables).items()}
    torch.save(state, tmp_path / "rn.pth")
    target = import_weights("region_norm", str(tmp_path / "rn.pth"), out=str(tmp_path / "made"))
    kernel = safetensors_tree.load(target / BUNDLE)[0]["params"]["generator"]["out"]["kernel"]
    np.testing.assert_array_equal(kernel, variables.params["generator"]["out"]["kernel"])


def test_a_critic_of_an_older_layout_is_left_out(variables, tmp_path):
    state = {name: value for name, value in state_of(variables).items() if not name.startswith("discriminator.")}
    state["discriminator.features.0.weight"] = np.zeros((4, 3, 4, 4), np.float32)
    assert set(load(tmp_path, state)["params"]) == {"generator"}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("generator.encoder_conv1.weight", None, r"no checkpoint of region normalisation: it has no 'generator\.enc"),
        ("generator.encoder_in2.background_beta", (4,), r"background_beta' has shape \(4,\), not \(8,\)"),
        ("generator.decoder.4.weight", (16, 8, 4, 4), r"has shape \(16, 8, 4, 4\), not \(16, 8, 3, 3\)"),
    ],
)
def test_another_network_is_refused_by_its_first_array_that_differs(variables, tmp_path, name, change, message):
    state = state_of(variables)
    if change is None:
        del state[name]
    else:
        state[name] = np.zeros(change, np.float32)
    with pytest.raises(UserError, match=message):
        load(tmp_path, state)


def test_an_imported_network_fills_holes(variables, tmp_path):
    safetensors_tree.save(tmp_path / "rn.safetensors", state_of(variables))
    assert_fills_holes(import_weights("region_norm", str(tmp_path / "rn.safetensors"), out=str(tmp_path / "made")))
