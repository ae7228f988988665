"""The importers of metrics' networks and heads: names, hashes, wrong files."""

import os
import pathlib

import numpy as np
import pytest

from scan_jax.errors import UserError
from scan_jax.weights import (
    import_alexnet,
    import_lpips_alex,
    import_lpips_squeeze,
    import_lpips_vgg16,
    import_squeezenet1_1,
    import_vgg16,
    registry,
    safetensors_tree,
)
from scan_jax.weights.__main__ import main
from scan_jax.weights.importing import import_weights

HEADS = {
    "lpips_alex": (import_lpips_alex, "alex.pth"),
    "lpips_vgg16": (import_lpips_vgg16, "vgg.pth"),
    "lpips_squeeze": (import_lpips_squeeze, "squeeze.pth"),
}
SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "weights" / "lpips_heads"
REAL = pathlib.Path(os.environ.get("SCAN_JAX_LPIPS_HEADS", SHARED / "v0.1"))


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def head_state(widths):
    return {f"lin{i}.model.1.weight": np.full((1, w, 1, 1), i + 1, np.float32) for i, w in enumerate(widths)}


def test_every_file_name_holds_the_first_digits_of_its_hash():
    for name in ("alexnet", "vgg16", "squeezenet1_1", "inception_v3"):
        source = registry.importer(name).SOURCE
        assert source.name == name and len(source.sha256) == 8 and source.sha256 in source.file
    for name in HEADS:
        source = registry.importer(name).SOURCE
        assert source.name == name and len(source.sha256) == 64 and source.origin.endswith(f"v0.1/{source.file}")


def test_vgg16_layout_is_torchvisions():
    indices = [index for index, _, _ in import_vgg16.layout().values()]
    assert indices == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.skipif(not REAL.is_dir(), reason="neither SCAN_JAX_LPIPS_HEADS nor the shared folder has the heads")
def test_the_published_heads_are_known_by_their_hash(name):
    pytest.importorskip("torch")
    module, file = HEADS[name]
    tree, metadata = safetensors_tree.load(import_weights(name, str(REAL / file)))
    assert metadata["weights"] == "published" and metadata["licence"] == "BSD-2-Clause"
    assert [tree[f"lin{i}"].shape for i in range(len(tree))] == [(width,) for width in module.WIDTHS]
    assert all(array.min() >= 0 and array.max() > 0.1 for array in tree.values())  # a distance never falls


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.skipif(not (SHARED / "v0.0").is_dir(), reason="the shared folder with the older heads is absent")
def test_the_older_heads_are_told_apart(name, capsys):
    assert main(["import", name, str(SHARED / "v0.0" / HEADS[name][1])]) == 1
    assert f"is not the published {HEADS[name][1]}: expected sha256" in capsys.readouterr().err


def test_the_head_of_another_network_is_refused(tmp_path):
    safetensors_tree.save(tmp_path / "h.safetensors", head_state(import_lpips_vgg16.WIDTHS))
    target = import_weights("lpips_vgg16", str(tmp_path / "h.safetensors"), allow_other_weights=True)
    np.testing.assert_array_equal(safetensors_tree.load(target)[0]["lin2"], np.full(256, 3, np.float32))
    with pytest.raises(UserError, match=r"no LPIPS head on AlexNet: 'lin1.model.1.weight' has shape \(1, 128, 1, 1\)"):
        import_weights("lpips_alex", str(tmp_path / "h.safetensors"), allow_other_weights=True)
    with pytest.raises(UserError, match=r"no LPIPS head on SqueezeNet 1.1: 'lin3"):
        import_weights("lpips_squeeze", str(tmp_path / "h.safetensors"), allow_other_weights=True)


def alexnet_state():
    state = {}
    for index, (height, width, channels, out) in import_alexnet.LAYOUT.values():
        state[f"features.{index}.weight"] = np.zeros((out, channels, height, width), np.float32)
        state[f"features.{index}.bias"] = np.zeros(out, np.float32)
    return state


def test_networks_are_told_apart(tmp_path):
    state = alexnet_state()
    state["features.3.weight"] = np.random.default_rng(0).normal(size=(192, 64, 5, 5)).astype(np.float32)
    safetensors_tree.save(tmp_path / "a.safetensors", state)
    target = import_weights("alexnet", str(tmp_path / "a.safetensors"), allow_other_weights=True)
    kernel = safetensors_tree.load(target)[0]["conv2"]["kernel"]
    assert kernel[4, 2, 7, 11] == state["features.3.weight"][11, 7, 4, 2]
    for name, title in (("vgg16", "VGG-16"), ("squeezenet1_1", "SqueezeNet 1.1")):
        with pytest.raises(UserError, match=f"is no torchvision {title}: 'features.0.weight' has shape"):
            import_weights(name, str(tmp_path / "a.safetensors"), allow_other_weights=True)


def test_squeezenets_fires_skip_the_poolings():
    assert list(import_squeezenet1_1.INDICES.items())[2:5] == [("fire4", 6), ("fire5", 7), ("fire6", 9)]
