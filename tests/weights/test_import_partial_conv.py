"""A U-Net in the layout of the public port comes back as this toolkit's parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filled_holes import assert_fills_holes
from lively_variables import lively_variables

from scan_jax.errors import UserError
from scan_jax.models.partial_conv_unet import PartialConvUNet
from scan_jax.run_layout import BUNDLE
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights


def variables(width=4, depth=5):
    """Random arrays of every shape that the generator has."""
    image = jnp.zeros((1, 2**depth, 2**depth, 3))
    return lively_variables(PartialConvUNet(width, depth), image, image[..., :1])


def official_state(tree):
    """The port's state dict: its kernels hold the window's size, for they are divided by sums and not by shares."""
    state = {}
    for name, level in tree["params"].items():
        theirs = f"{name[:3]}_{name[3:]}"
        layer = level.get("conv", level)
        window = np.prod(layer["kernel"].shape[:3])
        state[f"{theirs}.conv.input_conv.weight"] = layer["kernel"].transpose(3, 2, 0, 1) * np.float32(window)
        state[f"{theirs}.conv.mask_conv.weight"] = np.ones_like(state[f"{theirs}.conv.input_conv.weight"])
        if "bias" in layer:
            state[f"{theirs}.conv.input_conv.bias"] = layer["bias"]
        if "norm" in level:
            running = tree["batch_stats"][name]["norm"]["norm"]
            state[f"{theirs}.bn.weight"], state[f"{theirs}.bn.bias"] = level["norm"]["scale"], level["norm"]["bias"]
            state[f"{theirs}.bn.running_mean"] = running["mean"]
            state[f"{theirs}.bn.running_var"] = running["variance"]
            state[f"{theirs}.bn.num_batches_tracked"] = np.array(7)
    return state


def test_every_array_comes_back(tmp_path):
    tree = variables()
    safetensors_tree.save(tmp_path / "1.safetensors", official_state(tree))
    target = import_weights("partial_conv", str(tmp_path / "1.safetensors"), out=str(tmp_path / "bundle"))
    found, metadata = safetensors_tree.load(target / BUNDLE)
    wanted = {
        "params": {"generator": tree["params"]},
        "stats": {"generator": {"batch_stats": tree["batch_stats"]}},
    }
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, wanted)
    assert metadata["licence"] == "MIT"


def test_a_training_checkpoint_fills_holes(tmp_path):
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(np.array(value)) for name, value in official_state(variables()).items()}
    torch.save({"n_iter": 7, "model": state, "optimizer": {"state": {}}}, tmp_path / "7.pth")
    assert_fills_holes(import_weights("partial_conv", str(tmp_path / "7.pth"), out=str(tmp_path / "bundle")))


def test_another_network_is_refused_by_the_array_it_lacks(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors_tree.save(path, {"fc.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(UserError, match=r"is no U-Net of partial convolutions: it has no 'enc_1\.conv\.input_conv"):
        import_weights("partial_conv", str(path), out=str(tmp_path / "bundle"))


def test_another_width_is_refused_with_both_shapes(tmp_path):
    state = official_state(variables())
    state["enc_3.conv.input_conv.weight"] = state["enc_3.conv.input_conv.weight"][:9]
    safetensors_tree.save(tmp_path / "1.safetensors", state)
    message = r"'enc_3\.conv\.input_conv\.weight' has shape \(9, 8, 5, 5\), not \(16, 8, 5, 5\)"
    with pytest.raises(UserError, match=message):
        import_weights("partial_conv", str(tmp_path / "1.safetensors"), out=str(tmp_path / "bundle"))
    assert not (tmp_path / "bundle").exists()


def test_a_truncated_file_and_one_that_runs_code_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"model": {"enc_1.conv.input_conv.weight": torch.zeros(4, 3, 7, 7)}}, tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:300])
    torch.save({"model": torch.nn.Conv2d(3, 4, 7)}, tmp_path / "code.pth")
    for name in ("cut.pth", "code.pth"):
        with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
            import_weights("partial_conv", str(tmp_path / name), out=str(tmp_path / "bundle"))
