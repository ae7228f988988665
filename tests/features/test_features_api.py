import functools

import jax
import numpy as np
import pytest
from imported_weights import save_weights
from refusals import refused

from scan_jax.core.errors import UserError
from scan_jax.features import api
from scan_jax.features.common import max_pool, max_pool_rounding_up
from scan_jax.losses.features import PERCEPTUAL_LAYERS, STYLE_LAYERS
from scan_jax.weights import registry, safetensors_tree


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_networks_layers_and_importers_belong_together():
    assert list(api.NETWORKS) == ["alexnet", "inception_v3", "squeezenet", "squeezenet1_1", "vgg16", "vgg19"]
    assert set(api.NETWORKS) < set(registry.MODULES.keys())
    assert {"squeezenet", "vgg19"} <= PERCEPTUAL_LAYERS.keys() == STYLE_LAYERS.keys() <= set(api.NETWORKS)
    for name, layers in (*PERCEPTUAL_LAYERS.items(), *STYLE_LAYERS.items()):
        api.build_network(name, layers)


@pytest.mark.parametrize(("name", "source"), [("vgg19", "dcbd9e11"), ("squeezenet", "2d935d8c102a")])
def test_missing_weights_name_file_hash_and_command(weights_folder, name, source):
    with pytest.raises(UserError) as error:
        api.load_features(name, PERCEPTUAL_LAYERS[name])
    message = str(error.value)
    assert str(weights_folder / f"{name}.safetensors") in message and f"sha256 {source}" in message
    assert f"python -m scan_jax weights import {name} /path/to/" in message and "\n" not in message


def test_a_missing_chosen_file_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(UserError, match=rf"import vgg19 .*vgg19-dcbd9e11\.pth --out={tmp_path}/mine"):
        api.load_features("vgg19", ("relu1_1",), str(tmp_path / "mine"))
    refused("did you mean 'vgg19'", api.load_features, ("vgg91", ("relu1_1",)), error=UserError)
    refused("no features are called 'api'", api.load_features, ("api", ("relu1_1",)), error=UserError)
    refused("no layer 'relu1-1', did you mean 'relu1_1'", api.load_features, ("vgg19", ("relu1-1",)), error=UserError)
    refused("at least one layer", api.load_features, ("vgg19", ()), error=UserError)


def test_default_folder_is_read_and_only_what_is_needed_kept(weights_folder):
    saved = save_weights(weights_folder / "squeezenet.safetensors", "squeezenet", ("fire3",))
    features = api.load_features("squeezenet", ("fire2",))
    assert set(features.params) == {"conv1", "fire2"}
    np.testing.assert_array_equal(features.params["conv1"]["kernel"], saved["conv1"]["kernel"])
    found = jax.jit(features.apply)(features.params, np.ones((1, 32, 32, 3), np.float32))
    assert set(found) == {"fire2"} and np.isfinite(found["fire2"]).all()


def test_incomplete_misshapen_and_damaged_weights_and_those_of_another_network_are_refused(tmp_path):
    path = tmp_path / "s"

    def refuses(name, layer, complaint):
        refused(complaint, api.load_features, (name, (layer,), str(path)), error=UserError)

    save_weights(path, "squeezenet", ("fire2",))
    refuses("vgg19", "relu1_1", r"was not imported as 'vgg19' weights \(it says 'squeezenet'\)")
    refuses("squeezenet", "fire3", "lacks 'fire3'")
    tree, _ = safetensors_tree.load(path)
    tree["conv1"]["kernel"] = tree["conv1"]["kernel"][:2]
    safetensors_tree.save(path, tree, {"network": "squeezenet"})
    refuses("squeezenet", "relu_conv1", r"'kernel' has shape \(2, 3, 3, 64\), not \(3, 3, 3, 64\)")
    path.write_bytes(path.read_bytes()[:-8])
    refuses("squeezenet", "fire2", "damaged")


CASES = [
    *((max_pool, size, False, shape) for size in (2, 3) for shape in ((2, 7, 10, 3), (1, 3, 3, 1), (1, 8, 5, 2))),
    *((max_pool_rounding_up, 3, True, shape) for shape in ((2, 7, 10, 3), (1, 2, 3, 1), (1, 8, 5, 2), (1, 9, 4, 1))),
]


@pytest.mark.parametrize(("ours", "size", "up", "shape"), CASES)
def test_poolings_and_their_gradients_are_pytorchs(ours, size, up, shape):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) - 2  # mostly negative: padding must not win
    t = torch.tensor(x).requires_grad_()
    expected = torch.nn.functional.max_pool2d(t.permute(0, 3, 1, 2), size, 2, ceil_mode=up).permute(0, 2, 3, 1)
    weights = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(np.float32)

    @jax.jit
    def run(x, weights):
        found, pull = jax.vjp(functools.partial(ours, size=size), x)
        return found, *pull(weights)

    found, slope = run(x, weights)
    np.testing.assert_array_equal(found, expected.detach().numpy())
    expected.backward(torch.tensor(weights))
    np.testing.assert_allclose(slope, t.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_poolings_of_other_shapes_are_refused():
    for ours in (max_pool, max_pool_rounding_up):
        refused("B,H,W,C", ours, (np.zeros((4, 4, 1)), 3))
        refused("too small", ours, (np.zeros((1, 1, 4, 1)), 3))
