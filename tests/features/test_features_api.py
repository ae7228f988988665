import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.errors import UserError
from scan_jax.features import api
from scan_jax.features.squeezenet import SqueezeNet
from scan_jax.losses.perceptual import PERCEPTUAL_LAYERS
from scan_jax.losses.style import STYLE_LAYERS
from scan_jax.weights import registry, safetensors_tree


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def save_squeezenet(path, layers=("fire3",), **metadata):
    params = SqueezeNet(layers).init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    safetensors_tree.save(path, params, {"network": "squeezenet", **metadata})
    return params


def test_networks_layers_and_importers_belong_together():
    assert api.names() == ["alexnet", "inception_v3", "squeezenet", "squeezenet1_1", "vgg16", "vgg19"]
    assert set(api.names()) < set(registry.names())
    assert {"squeezenet", "vgg19"} <= PERCEPTUAL_LAYERS.keys() == STYLE_LAYERS.keys() <= set(api.names())
    for table in (PERCEPTUAL_LAYERS, STYLE_LAYERS):
        for name, layers in table.items():
            api.build_network(name, layers)


@pytest.mark.parametrize(("name", "source"), [("vgg19", "dcbd9e11"), ("squeezenet", "2d935d8c102a")])
def test_missing_weights_name_file_hash_and_command(weights_folder, name, source):
    with pytest.raises(UserError) as error:
        api.load_features(name, PERCEPTUAL_LAYERS[name])
    message = str(error.value)
    assert str(weights_folder / f"{name}.safetensors") in message and f"sha256 {source}" in message
    assert f"python -m scan_jax.weights import {name} /path/to/" in message and "\n" not in message


def test_a_missing_chosen_file_is_named_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(UserError, match=rf"import vgg19 .*vgg19-dcbd9e11\.pth --out={tmp_path}/mine"):
        api.load_features("vgg19", ("relu1_1",), str(tmp_path / "mine"))


def test_default_folder_is_read_and_only_what_is_needed_kept(weights_folder):
    saved = save_squeezenet(weights_folder / "squeezenet.safetensors")
    features = api.load_features("squeezenet", ("fire2",))
    assert set(features.params) == {"conv1", "fire2"}
    np.testing.assert_array_equal(features.params["conv1"]["kernel"], saved["conv1"]["kernel"])
    found = features.apply(features.params, jnp.ones((1, 32, 32, 3)))
    assert set(found) == {"fire2"} and bool(jnp.isfinite(found["fire2"]).all())


def test_weights_of_another_network_are_refused(tmp_path):
    save_squeezenet(tmp_path / "s")
    with pytest.raises(UserError, match=r"was not imported as 'vgg19' weights \(it says 'squeezenet'\)"):
        api.load_features("vgg19", ("relu1_1",), str(tmp_path / "s"))


def test_incomplete_and_misshapen_weights_are_refused(tmp_path):
    save_squeezenet(tmp_path / "s", layers=("fire2",))
    with pytest.raises(UserError, match="lacks 'fire3'"):
        api.load_features("squeezenet", ("fire3",), str(tmp_path / "s"))
    tree, _ = safetensors_tree.load(tmp_path / "s")
    tree["conv1"]["kernel"] = tree["conv1"]["kernel"][:2]
    safetensors_tree.save(tmp_path / "s", tree, {"network": "squeezenet"})
    with pytest.raises(UserError, match=r"'kernel' has shape \(2, 3, 3, 64\), not \(3, 3, 3, 64\)"):
        api.load_features("squeezenet", ("relu_conv1",), str(tmp_path / "s"))


def test_damaged_weights_are_refused(tmp_path):
    save_squeezenet(tmp_path / "s")
    (tmp_path / "s").write_bytes((tmp_path / "s").read_bytes()[:-8])
    with pytest.raises(UserError, match="damaged"):
        api.load_features("squeezenet", ("fire2",), str(tmp_path / "s"))


@pytest.mark.parametrize(
    ("name", "layers", "complaint"),
    [
        ("vgg91", ("relu1_1",), "did you mean 'vgg19'"),
        ("api", ("relu1_1",), "no features are called 'api'"),
        ("vgg19", ("relu1-1",), "no layer 'relu1-1', did you mean 'relu1_1'"),
        ("vgg19", (), "at least one layer"),
    ],
)
def test_unknown_names_are_refused(name, layers, complaint):
    with pytest.raises(UserError, match=complaint):
        api.load_features(name, layers)
