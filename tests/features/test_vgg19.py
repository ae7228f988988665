import jax
import jax.numpy as jnp
import numpy as np
import public_networks
import pytest

from scan_jax.features.api import load_features
from scan_jax.features.chains import layer_names
from scan_jax.weights.importing import import_weights

torch = pytest.importorskip("torch")
LAYERS = layer_names("vgg19")


def torch_vgg19():
    """The `features` of torchvision's VGG-19, with random weights that keep the signal alive."""
    torch.manual_seed(0)
    vgg = public_networks.torchvision().models.vgg
    network = vgg.make_layers(vgg.cfgs["E"])
    for part in network:
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
            torch.nn.init.normal_(part.bias, std=0.1)
    return network


def torch_activations(network, image):
    """image: tensor [B,3,H,W] in [0, 1] -> activations by name, [B,C,h,w]."""
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    x = (image - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    block, i, found = 1, 1, {}
    for part in network:
        x = part(x)
        if isinstance(part, torch.nn.MaxPool2d):
            found[f"pool{block}"] = x
            block, i = block + 1, 1
        elif isinstance(part, torch.nn.ReLU):
            found[f"relu{block}_{i}"] = x
            i += 1
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The PyTorch network in float64 and its weights, imported by the real importer."""
    folder = tmp_path_factory.mktemp("vgg19")
    network = torch_vgg19()
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, folder / "own.pth")
    target = import_weights("vgg19", str(folder / "own.pth"), out=str(folder / "v"), allow_other_weights=True)
    (folder / "own.pth").unlink()
    yield network.double(), str(target)
    target.unlink()


def image(height=33, width=36):
    return np.random.default_rng(1).uniform(size=(2, height, width, 3)).astype(np.float32)


def relative_error(found, expected):
    return np.abs(np.asarray(found, np.float64) - expected).max() / np.abs(expected).max()


def test_every_activation_is_pytorchs(reference):
    network, path = reference
    features = load_features("vgg19", LAYERS, path)
    found = jax.jit(features.apply)(features.params, image())
    with torch.no_grad():
        expected = torch_activations(network, torch.tensor(image()).permute(0, 3, 1, 2).double())
    del expected["pool5"]  # ours ends with the last ReLU
    assert found.keys() == expected.keys() == set(LAYERS)
    errors = {name: relative_error(found[name], expected[name].permute(0, 2, 3, 1).numpy()) for name in LAYERS}
    assert max(errors.values()) < 1e-5, errors
    assert found["relu5_4"].shape == (2, 2, 2, 512) and float(found["relu5_4"].std()) > 0.01


def test_the_gradient_is_pytorchs(reference):
    network, path = reference
    features = load_features("vgg19", ("relu3_1",), path)
    found = jax.jit(jax.grad(lambda x: (features.apply(features.params, x)["relu3_1"] ** 2).mean()))(image(16, 21))
    x = torch.tensor(image(16, 21)).double().requires_grad_()
    (torch_activations(network[:12], x.permute(0, 3, 1, 2))["relu3_1"] ** 2).mean().backward()
    assert relative_error(found, x.grad.numpy()) < 1e-4


def test_only_what_is_asked_for_is_loaded_and_computed(reference):
    features = load_features("vgg19", ("relu2_1", "relu1_2"), reference[1])
    assert set(features.params) == {"conv1_1", "conv1_2", "conv2_1"}
    shapes = jax.eval_shape(features.apply, features.params, image(9, 8))
    assert (shapes["relu1_2"].shape, shapes["relu2_1"].shape) == ((2, 9, 8, 64), (2, 4, 4, 128)) and len(shapes) == 2


def test_bfloat16_activations_follow_float32_ones(reference):
    exact, half = (load_features("vgg19", ("relu2_2",), reference[1], dtype=d) for d in (jnp.float32, jnp.bfloat16))
    expected, found = (jax.jit(f.apply)(f.params, image(16, 21))["relu2_2"] for f in (exact, half))
    assert found.dtype == jnp.bfloat16 and half.params["conv1_1"]["kernel"].dtype == jnp.float32
    assert relative_error(found, np.asarray(expected)) < 0.03
