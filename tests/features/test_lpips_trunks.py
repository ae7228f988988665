"""AlexNet, VGG-16 and torchvision's SqueezeNet against the networks that the public LPIPS compares activations of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import public_networks
import pytest
from refusals import refused

from scan_jax.features.api import NETWORKS, build_network, load_features
from scan_jax.metrics.lpips import TRUNKS
from scan_jax.weights.importing import import_weights


def images(height, width, count=2):
    return np.random.default_rng(1).uniform(size=(count, height, width, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=TRUNKS)
def reference(request, tmp_path_factory):
    """A trunk, the public network under LPIPS in float64, and its weights through the real importer."""
    torch = pytest.importorskip("torch")
    model = public_networks.lpips("vgg" if request.param == "vgg16" else request.param)
    trunk, folder = TRUNKS[request.param], tmp_path_factory.mktemp(request.param)
    torch.save(public_networks.torchvision_state(model), folder / "own.pth")
    target = import_weights(trunk.network, str(folder / "own.pth"), out=str(folder / "w"), allow_other_weights=True)
    (folder / "own.pth").unlink()
    yield trunk, model, str(target)
    target.unlink()


def test_every_compared_activation_is_the_public_networks(reference):
    trunk, model, path = reference
    torch, image = pytest.importorskip("torch"), images(*((67, 90) if trunk.network == "alexnet" else (35, 50)))
    features = load_features(trunk.network, trunk.layers, path)
    found = jax.jit(features.apply)(features.params, image)
    with torch.no_grad():
        scaled = model.scaling_layer(2 * torch.tensor(image).double().permute(0, 3, 1, 2) - 1)
        expected = [x.permute(0, 2, 3, 1).numpy() for x in model.net(scaled)]
    assert set(found) == set(trunk.layers) and len(expected) == len(found)
    for layer, truth in zip(trunk.layers, expected):
        assert found[layer].shape == truth.shape
        assert np.abs(np.asarray(found[layer], np.float64) - truth).max() < 1e-5 * np.abs(truth).max(), layer
        assert truth.std() > 0.05  # the signal lives


CUT = {  # layers, and which parameters they need
    "alexnet": (("relu2", "relu1"), {"conv1", "conv2"}),
    "vgg16": (("relu1_2",), {"conv1_1", "conv1_2"}),
    "squeezenet1_1": (("fire3",), {"conv1", "fire2", "fire3"}),
    "squeezenet": (("fire3", "relu_conv1"), {"conv1", "fire2", "fire3"}),
}


@pytest.mark.parametrize("name", CUT)
def test_bfloat16_keeps_parameters_and_only_needed_ones_exist(name):
    layers, needed = CUT[name]
    network = build_network(name, layers, dtype=jnp.bfloat16)
    found, variables = jax.eval_shape(network.init_with_output, jax.random.key(0), images(40, 33))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert {x.dtype for x in found.values()} == {jnp.dtype("bfloat16")} and set(found) == set(layers)
    assert set(variables["params"]) == needed


@pytest.mark.parametrize(
    ("network", "title", "layer", "small"),
    [
        ("alexnet", "AlexNet", "relu5", (1, 2, 64, 3)),
        ("vgg16", "VGG-16", "relu5_3", (1, 2, 64, 3)),
        ("vgg19", "VGG-19", "relu5_1", (1, 15, 64, 3)),
        ("squeezenet1_1", "SqueezeNet 1.1", "fire9", (1, 2, 64, 3)),
        ("squeezenet", "SqueezeNet", "fire9", (1, 20, 64, 3)),
        ("squeezenet", "SqueezeNet", "relu_conv1", (1, 2, 9, 3)),
        ("inception_v3", "InceptionV3", "pool3", (1, 8, 8, 4)),
    ],
)
def test_what_they_cannot_see_is_refused(network, title, layer, small):
    wrong = [((layer,), shape) for shape in ((1, 64, 64, 1), (64, 64, 3), small)]
    for layers, shape in (*wrong, ((), (1, 64, 64, 3)), (("relu9",), (1, 64, 64, 3))):
        init = functools.partial(jax.eval_shape, NETWORKS[network][0](layers).init, jax.random.key(0))
        refused(f"{title}|too small", init, (np.zeros(shape, np.float32),))
