"""RFR's generator in the layout of the public code comes back as this toolkit's parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filled_holes import assert_fills_holes
from lively_variables import lively_variables

from scan_jax.errors import UserError
from scan_jax.models.rfr import Rfr
from scan_jax.run_layout import BUNDLE
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights

# Ours -> their convolutions and normalisation.
PARTIAL = {"down": (("Pconv1",), "bn1"), "rim": (("Pconv2",), "bn20"), "shrink": (("Pconv21", "Pconv22"), "bn2")}
BOTTLENECK = {"narrow": "1", "look": "2", "widen": "3"}


def variables(width=8):
    """Random arrays of every shape that the generator has."""
    image = jnp.zeros((1, 32, 32, 3))
    return lively_variables(Rfr(width), image, image[..., :1], train=False)


def norm(state, name, params, stats):
    state[f"{name}.weight"], state[f"{name}.bias"] = params["norm"]["scale"], params["norm"]["bias"]
    state[f"{name}.running_mean"] = stats["norm"]["norm"]["mean"]
    state[f"{name}.running_var"] = stats["norm"]["norm"]["variance"]
    state[f"{name}.num_batches_tracked"] = np.array(7)


def plain(kernel):
    return kernel.transpose(3, 2, 0, 1)


def transposed(kernel):
    return kernel.transpose(2, 3, 0, 1)


def official_state(tree):
    """The public state dict that holds these variables."""
    params, stats, state = tree["params"], tree["batch_stats"], {}
    for ours, (convs, theirs) in PARTIAL.items():
        for index, conv in enumerate(convs, start=1):
            state[f"{conv}.weight"] = plain(params[ours][f"conv{index}"]["kernel"])
        norm(state, theirs, params[ours], stats[ours])
    for name, layer in params["reason"].items():
        if name == "attention":
            continue
        theirs = f"RFRModule.{name[:3]}_{name[3:]}"
        layout = transposed if name in ("dec1", "dec2", "dec3") else plain
        state[f"{theirs}.0.weight"] = layout(layer["conv"]["kernel"])
        norm(state, f"{theirs}.1", layer, stats["reason"][name])
    attention = params["reason"]["attention"]
    state["RFRModule.att.att.ratio"] = attention["ratio"].reshape(1)
    state["RFRModule.att.combiner.weight"] = plain(attention["mix"]["kernel"])
    state["RFRModule.att.combiner.bias"] = attention["mix"]["bias"]
    state["Tconv.weight"] = transposed(params["up"]["conv"]["kernel"])
    norm(state, "bn3", params["up"], stats["up"])
    state["tail1.weight"], state["out.weight"] = (plain(params[name]["kernel"]) for name in ("tail", "rgb"))
    for ours, index in BOTTLENECK.items():
        layer = params["bottleneck"][ours]
        state[f"tail2.conv{index}.weight"] = plain(layer["conv"]["kernel"])
        norm(state, f"tail2.bn{index}", layer, stats["bottleneck"][ours])
    return state


def test_every_array_comes_back(tmp_path):
    tree = variables()
    safetensors_tree.save(tmp_path / "g_1.safetensors", official_state(tree))
    target = import_weights("rfr", str(tmp_path / "g_1.safetensors"), out=str(tmp_path / "bundle"))
    found, metadata = safetensors_tree.load(target / BUNDLE)
    wanted = {
        "params": {"generator": tree["params"]},
        "stats": {"generator": {"batch_stats": tree["batch_stats"]}},
    }
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert metadata["licence"] == "MIT"


def test_a_training_checkpoint_fills_holes(tmp_path):
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(np.array(value)) for name, value in official_state(variables()).items()}
    torch.save({"n_iter": 7, "generator": state, "optimizer_G": {"state": {}}}, tmp_path / "g_7.pth")
    assert_fills_holes(import_weights("rfr", str(tmp_path / "g_7.pth"), out=str(tmp_path / "bundle")))


def test_another_network_is_refused_by_the_array_it_lacks(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors_tree.save(path, {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no RFR generator: it has no 'Pconv1\.weight'"):
        import_weights("rfr", str(path), out=str(tmp_path / "bundle"))


def test_the_variant_for_smaller_holes_is_refused_with_both_shapes(tmp_path):
    state = official_state(variables())
    state["Pconv21.weight"] = state["Pconv21.weight"][:, :, 1:6, 1:6]
    safetensors_tree.save(tmp_path / "g_1.safetensors", state)
    with pytest.raises(UserError, match=r"'Pconv21\.weight' has shape \(8, 8, 5, 5\), not \(8, 8, 7, 7\)"):
        import_weights("rfr", str(tmp_path / "g_1.safetensors"), out=str(tmp_path / "bundle"))
    assert not (tmp_path / "bundle").exists()
