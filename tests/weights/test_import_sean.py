"""A SEAN generator in the layout of the official release comes back as this toolkit's parameters."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filled_holes import assert_fills_holes

from scan_jax.errors import UserError
from scan_jax.inference.inpainter import Inpainter
from scan_jax.models.sean import Sean
from scan_jax.run_layout import BUNDLE, CONFIG
from scan_jax.weights import safetensors_tree
from scan_jax.weights.import_sean import BLOCKS
from scan_jax.weights.importing import import_weights

CLASSES = 3


def variables(attention):
    """Random arrays of every shape that the generator has."""
    model = Sean(CLASSES, width=8, style_size=6, hidden=5, attention=attention)
    image, known = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1))
    labels = jnp.zeros((1, 64, 64), jnp.int32)
    shapes = jax.eval_shape(lambda key: model.init(key, image, known, labels, None, train=False), jax.random.key(0))
    rng = np.random.default_rng(0)
    kept = {name: shapes[name] for name in ("params", "batch_stats", "spectral")}
    drawn = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), kept)
    positive = lambda path, leaf: np.abs(leaf) + 0.5 if "variance" in jax.tree_util.keystr(path) else leaf  # noqa: E731
    return jax.tree_util.tree_map_with_path(positive, drawn)


def convolution(state, name, kernel, bias=None, weight="weight"):
    state[f"{name}.{weight}"] = kernel.transpose(3, 2, 0, 1)
    if bias is not None:
        state[f"{name}.bias"] = bias


def halves(state, names, tree):
    """One convolution of ours as two of theirs."""
    for name, kernel, bias in zip(names, np.split(tree["kernel"], 2, -1), np.split(tree["bias"], 2)):
        convolution(state, name, kernel, bias)


def official_norm(state, name, params, stats):
    state[f"{name}.noise_var"] = params["noise_scale"]
    state[f"{name}.param_free_norm.running_mean"] = stats["norm"]["mean"]
    state[f"{name}.param_free_norm.running_var"] = stats["norm"]["variance"]
    state[f"{name}.param_free_norm.num_batches_tracked"] = np.array(7)
    label = params["label"]
    convolution(state, f"{name}.Spade.mlp_shared.0", label["hidden_kernel"], label["hidden_bias"])
    halves(state, (f"{name}.Spade.mlp_gamma", f"{name}.Spade.mlp_beta"), label)
    blend = params.get("blend", np.zeros(2, np.float32))  # theirs has it without a style branch as well
    state[f"{name}.blending_gamma"], state[f"{name}.blending_beta"] = blend[:1], blend[1:]
    if "style" in params:
        halves(state, (f"{name}.conv_gamma", f"{name}.conv_beta"), params["style"])
        for index, (kernel, bias) in enumerate(zip(*(params["style"]["dense"][key] for key in ("kernel", "bias")))):
            state[f"{name}.fc_mu{index}.weight"], state[f"{name}.fc_mu{index}.bias"] = kernel.T, bias


def official_state(tree, attention):
    """The state dict of the official release that holds these variables."""
    state, encoder, decoder = {}, tree["params"]["encoder"], tree["params"]["decoder"]
    places = {"in": "model.1", "down1": "model.4", "down2": "model.7"}
    places["out"] = "model.14" if attention == "none" else "model_last.1"
    for ours, theirs in places.items():
        convolution(state, f"Zencoder.{theirs}", encoder[ours]["kernel"], encoder[ours]["bias"])
    if attention == "none":  # the official encoder does not see which pixels are known
        state["Zencoder.model.1.weight"] = state["Zencoder.model.1.weight"][:, :3]
    state["Zencoder.model.10.weight"] = encoder["up"]["kernel"].transpose(2, 3, 0, 1)
    state["Zencoder.model.10.bias"] = encoder["up"]["bias"]
    for name in ("query", "key", "value") if attention != "none" else ():
        layer = encoder["attention"][name]
        convolution(state, f"Zencoder.attention.{name}_conv", layer["kernel"], layer["bias"])
    if attention != "none":
        state["Zencoder.attention.gamma"] = encoder["attention"]["gamma"].reshape(1)
    convolution(state, "fc", decoder["start_kernel"], decoder["start_bias"])
    convolution(state, "conv_img", decoder["rgb"]["kernel"], decoder["rgb"]["bias"])
    for ours, theirs in BLOCKS.items():
        params, stats = decoder[ours], tree["batch_stats"]["decoder"][ours]
        for place, suffix in enumerate("01s"):
            name = "shortcut" if suffix == "s" else f"conv{suffix}"
            if name not in params:
                continue
            official_norm(state, f"{theirs}.ace_{suffix}", params[f"norm{place}"], stats[f"norm{place}"])
            convolution(
                state, f"{theirs}.conv_{suffix}", params[name]["kernel"], params[name].get("bias"), "weight_orig"
            )
            vectors = tree["spectral"]["decoder"][ours][name]["vectors"]
            height, width, inputs, _ = params[name]["kernel"].shape
            state[f"{theirs}.conv_{suffix}.weight_u"] = vectors["u"]
            v = vectors["v"].reshape(height, width, inputs).transpose(2, 0, 1)
            state[f"{theirs}.conv_{suffix}.weight_v"] = v.reshape(-1)
    return state


@pytest.mark.parametrize("attention", ["none", "masked"])
def test_every_array_comes_back(tmp_path, attention):
    tree = variables(attention)
    path = tmp_path / "latest_net_G.safetensors"
    safetensors_tree.save(path, official_state(tree, attention))
    target = import_weights("sean", str(path), out=str(tmp_path / "sean"))
    found, metadata = safetensors_tree.load(target / BUNDLE)
    if attention == "none":
        tree["params"]["encoder"]["in"]["kernel"][:, :, 3] = 0
    stats = {name: tree[name] for name in ("batch_stats", "spectral")}
    wanted = {"params": {"generator": tree["params"]}, "stats": {"generator": stats}}
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert metadata["weights"] == "other"
    assert metadata["licence"].startswith("CC BY-NC-SA")


def test_a_pth_file_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    tree = variables("masked")
    state = {name: torch.tensor(np.array(value)) for name, value in official_state(tree, "masked").items()}
    torch.save(state, tmp_path / "latest_net_G.pth")
    target = import_weights("sean", str(tmp_path / "latest_net_G.pth"), out=str(tmp_path / "sean"))
    kernel = safetensors_tree.load(target / BUNDLE)[0]["params"]["generator"]["decoder"]["rgb"]["kernel"]
    np.testing.assert_array_equal(kernel, tree["params"]["decoder"]["rgb"]["kernel"])


def test_class_layers_beyond_the_class_count_are_left_out(tmp_path):
    state = official_state(variables("none"), "none")
    for name in [name for name in state if ".fc_mu0." in name]:
        state[name.replace(".fc_mu0.", f".fc_mu{CLASSES}.")] = state[name]
    safetensors_tree.save(tmp_path / "net_G.safetensors", state)
    Inpainter.load(import_weights("sean", str(tmp_path / "net_G.safetensors"), out=str(tmp_path / "sean")))


def test_an_encoder_of_another_width_is_refused(tmp_path):
    state = official_state(variables("none"), "none")
    state["conv_img.weight"] = state["conv_img.weight"][:, :4]
    safetensors_tree.save(tmp_path / "net_G.safetensors", state)
    with pytest.raises(UserError, match="the decoder is 4 wide and the encoder 8"):
        import_weights("sean", str(tmp_path / "net_G.safetensors"), out=str(tmp_path / "sean"))
    assert not (tmp_path / "sean").exists()


def test_another_network_is_refused_by_the_array_it_lacks(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors_tree.save(path, {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no SEAN generator: it has no 'fc\.bias'"):
        import_weights("sean", str(path))


@pytest.mark.parametrize(("attention", "size"), [("none", 256), ("contextual", 128)])
def test_an_imported_generator_fills_holes(attention, size, tmp_path):
    path = tmp_path / "latest_net_G.safetensors"
    safetensors_tree.save(path, official_state(variables(attention), attention))
    target = import_weights("sean", str(path), out=str(tmp_path / "sean"))
    assert_fills_holes(target, size=size, num_labels=CLASSES)


def test_a_bundle_of_another_class_count_is_refused(tmp_path):
    path = tmp_path / "latest_net_G.safetensors"
    safetensors_tree.save(path, official_state(variables("none"), "none"))
    target = import_weights("sean", str(path), out=str(tmp_path / "sean"))
    config = json.loads((target / CONFIG).read_text())
    config["method"]["num_labels"] = 5
    (target / CONFIG).write_text(json.dumps(config))
    with pytest.raises(
        UserError, match=r"hidden_kernel.* is \(3, 3, 3, 5\), by the config \(3, 3, 5, 5\): .*class count"
    ):
        Inpainter.load(target)
    config["method"] = {"name": "scan", "loss": {"perceptual": 0.0, "style": 0.0}}
    (target / CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"by the config .*: they are of another method"):
        Inpainter.load(target)
