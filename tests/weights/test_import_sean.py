"""A SEAN generator in the layout of the official release comes back as this toolkit's parameters."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import arrays, assert_fills_holes, assert_holds, imported, write
from torch_names import convolution, spectral

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import CONFIG
from scan_jax.inference.inpainter import Inpainter
from scan_jax.models.sean import Sean
from scan_jax.weights.import_sean import BLOCKS

CLASSES = 3
METHOD = {"name": "masked_attention", "num_labels": CLASSES, "width": 8, "style_size": 6, "label_width": 5}


@functools.cache
def variables(attention):
    model = Sean(CLASSES, width=8, style_size=6, hidden=5, attention=attention)
    image, known = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1))
    labels = jnp.zeros((1, 64, 64), jnp.int32)
    shapes = jax.eval_shape(lambda key: model.init(key, image, known, labels, None, train=False), jax.random.key(0))
    rng = np.random.default_rng(0)
    kept = {name: shapes[name] for name in ("params", "batch_stats", "spectral")}
    drawn = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), kept)
    positive = lambda path, leaf: np.abs(leaf) + 0.5 if "variance" in jax.tree_util.keystr(path) else leaf  # noqa: E731
    return jax.tree_util.tree_map_with_path(positive, drawn)


def halves(state, names, tree):
    """One convolution of ours as two of theirs."""
    for name, kernel, bias in zip(names, np.split(tree["kernel"], 2, -1), np.split(tree["bias"], 2)):
        convolution(state, name, {"kernel": kernel, "bias": bias})


def official_norm(state, name, params, stats):
    state[f"{name}.noise_var"] = params["noise_scale"]
    state[f"{name}.param_free_norm.running_mean"] = stats["norm"]["mean"]
    state[f"{name}.param_free_norm.running_var"] = stats["norm"]["variance"]
    state[f"{name}.param_free_norm.num_batches_tracked"] = np.array(7)
    label = params["label"]
    hidden = {"kernel": label["hidden_kernel"], "bias": label["hidden_bias"]}
    convolution(state, f"{name}.Spade.mlp_shared.0", hidden)
    halves(state, (f"{name}.Spade.mlp_gamma", f"{name}.Spade.mlp_beta"), label)
    blend = params.get("blend", np.zeros(2, np.float32))  # theirs has it without a style branch as well
    state[f"{name}.blending_gamma"], state[f"{name}.blending_beta"] = blend[:1], blend[1:]
    if "style" in params:
        halves(state, (f"{name}.conv_gamma", f"{name}.conv_beta"), params["style"])
        for index, (kernel, bias) in enumerate(zip(*(params["style"]["dense"][key] for key in ("kernel", "bias")))):
            state[f"{name}.fc_mu{index}.weight"], state[f"{name}.fc_mu{index}.bias"] = kernel.T, bias


def official_state(attention):
    """The state dict of the official release that holds these variables."""
    tree, state = variables(attention), {}
    encoder, decoder = tree["params"]["encoder"], tree["params"]["decoder"]
    places = {"in": "model.1", "down1": "model.4", "down2": "model.7"}
    places["out"] = "model.14" if attention == "none" else "model_last.1"
    for ours, theirs in places.items():
        convolution(state, f"Zencoder.{theirs}", encoder[ours])
    convolution(state, "Zencoder.model.10", encoder["up"], transposed=True)
    if attention == "none":  # the official encoder does not see which pixels are known
        state["Zencoder.model.1.weight"] = state["Zencoder.model.1.weight"][:, :3]
    else:
        for name in ("query", "key", "value"):
            convolution(state, f"Zencoder.attention.{name}_conv", encoder["attention"][name])
        state["Zencoder.attention.gamma"] = encoder["attention"]["gamma"].reshape(1)
    convolution(state, "fc", {"kernel": decoder["start_kernel"], "bias": decoder["start_bias"]})
    convolution(state, "conv_img", decoder["rgb"])
    for ours, theirs in BLOCKS.items():
        params, stats = decoder[ours], tree["batch_stats"]["decoder"][ours]
        for place, suffix in enumerate("01s"):
            name = "shortcut" if suffix == "s" else f"conv{suffix}"
            if name in params:
                official_norm(state, f"{theirs}.ace_{suffix}", params[f"norm{place}"], stats[f"norm{place}"])
                vectors = tree["spectral"]["decoder"][ours][name]
                spectral(state, f"{theirs}.conv_{suffix}", params[name], vectors)
    return state


def file_of(folder, attention, suffix="safetensors"):
    return write(folder / f"latest_net_G.{suffix}", official_state(attention))


@pytest.mark.parametrize(("attention", "suffix", "size"), [("none", "safetensors", 256), ("contextual", "pth", 128)])
def test_every_array_comes_back(tmp_path, attention, suffix, size):
    tree = jax.tree.map(np.copy, variables(attention))
    if attention == "none":
        tree["params"]["encoder"]["in"]["kernel"][:, :, 3] = 0
    stats = {name: tree[name] for name in ("batch_stats", "spectral")}
    wanted = {"params": {"generator": tree["params"]}, "stats": {"generator": stats}}
    bundle = imported("sean", file_of(tmp_path, attention, suffix))
    told = {"attention": attention, "loss": {"semantic_attention": 0.0} if attention == "none" else {}}
    assert_holds(bundle, wanted, METHOD | told, "CC BY-NC-SA", size=size)


def test_class_layers_beyond_the_class_count_are_left_out(tmp_path):
    state = official_state("none")
    for name in [name for name in state if ".fc_mu0." in name]:
        state[name.replace(".fc_mu0.", f".fc_mu{CLASSES}.")] = state[name]
    found = arrays(imported("sean", write(tmp_path / "net_G.safetensors", state)))
    style = found["params"]["generator"]["decoder"]["up0"]["norm0"]["style"]
    assert style["dense"]["kernel"].shape[0] == CLASSES


def test_an_encoder_of_another_width_and_another_network_are_refused(tmp_path):
    state = official_state("none")
    state["conv_img.weight"] = state["conv_img.weight"][:, :4]
    with pytest.raises(UserError, match="the decoder is 4 wide and the encoder 8"):
        imported("sean", write(tmp_path / "net_G.safetensors", state))
    assert not (tmp_path / "bundle").exists()
    other = write(tmp_path / "other.safetensors", {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no SEAN generator: it has no 'fc\.bias'"):
        imported("sean", other)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["none", "contextual"])
def test_an_imported_generator_fills_holes(attention, tmp_path):
    assert_fills_holes(imported("sean", file_of(tmp_path, attention)))


def test_a_bundle_of_another_class_count_or_method_is_refused(tmp_path):
    bundle = imported("sean", file_of(tmp_path, "none"))
    config = json.loads((bundle / CONFIG).read_text())
    config["method"]["num_labels"] = 5
    (bundle / CONFIG).write_text(json.dumps(config))
    by_the_config = r"hidden_kernel.* is \(3, 3, 3, 5\), by the config \(3, 3, 5, 5\): .*class count"
    with pytest.raises(UserError, match=by_the_config):
        Inpainter.load(bundle)
    config["method"] = {"name": "scan", "loss": {"perceptual": 0.0, "style": 0.0}}
    (bundle / CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"by the config .*: they are of another method"):
        Inpainter.load(bundle)
