"""Region normalisation's published file comes back as this toolkit's variables."""

import functools

import numpy as np
import pytest
import torch_names
from imported import arrays, assert_fills_holes, assert_holds, imported, write
from small_networks import small_trained

from scan_jax.core.errors import UserError

SECTION = {"name": "region_norm", "width": 4, "critic_width": 6, "blocks": 2}


@functools.cache
def variables():
    return small_trained(SECTION).variables


def official_state(level=""):
    """`level` is what training on several GPUs puts between a network and its layers."""
    params, stats = variables().params, variables().stats
    critic = torch_names.critic(params["critic"], stats["critic"], f"discriminator.{level}")
    labels = {"adversarial_loss.real_label": np.ones((), np.float32)}
    return torch_names.region_norm_generator(params["generator"], f"generator.{level}") | critic | labels


@pytest.mark.parametrize(("file", "level"), [("rn.safetensors", "module."), ("rn.pth", "")])
def test_every_array_comes_back(tmp_path, file, level):
    bundle = imported("region_norm", write(tmp_path / file, official_state(level)))
    wanted = {"params": variables().params, "stats": {"critic": variables().stats["critic"]}}
    assert_holds(bundle, wanted, SECTION, "MIT")


def test_a_critic_of_an_older_layout_is_left_out(tmp_path):
    state = {name: value for name, value in official_state().items() if not name.startswith("discriminator.")}
    state["discriminator.features.0.weight"] = np.zeros((4, 3, 4, 4), np.float32)
    assert set(arrays(imported("region_norm", write(tmp_path / "rn.safetensors", state)))["params"]) == {"generator"}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("generator.encoder_conv1.weight", None, r"no checkpoint of region normalisation: it has no 'generator\.enc"),
        ("generator.encoder_in2.background_beta", (4,), r"background_beta' has shape \(4,\), not \(8,\)"),
        ("generator.decoder.4.weight", (16, 8, 4, 4), r"has shape \(16, 8, 4, 4\), not \(16, 8, 3, 3\)"),
    ],
)
def test_another_network_is_refused_by_its_first_array_that_differs(tmp_path, name, change, message):
    state = official_state()
    del state[name]
    if change:
        state[name] = np.zeros(change, np.float32)
    with pytest.raises(UserError, match=message):
        imported("region_norm", write(tmp_path / "rn.safetensors", state))


@pytest.mark.slow
def test_an_imported_network_fills_holes(tmp_path):
    assert_fills_holes(imported("region_norm", write(tmp_path / "rn.safetensors", official_state())))
