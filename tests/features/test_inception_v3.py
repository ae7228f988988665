"""InceptionV3 against pytorch-fid's, with random weights and random running statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import public_networks
import pytest

from scan_jax.errors import UserError
from scan_jax.features.api import load_features
from scan_jax.features.inception_v3 import InceptionV3
from scan_jax.weights import import_inception_v3, safetensors_tree
from scan_jax.weights.importing import import_weights


def images(height=80, width=113):
    """A ramp with texture, and noise: [2,H,W,3] in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x / width, y / height, 0.5 + 0.5 * np.sin((x + 2 * y) / 7)], axis=-1)
    return np.stack([ramp, np.random.default_rng(0).uniform(size=ramp.shape)]).astype(np.float32)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """pytorch-fid's network, its state dict's file and the weights through the real importer."""
    torch = pytest.importorskip("torch")
    model, state = public_networks.fid_inception()
    folder = tmp_path_factory.mktemp("inception")
    torch.save(state, folder / "own.pth")
    out = str(folder / "w")
    target = import_weights("inception_v3", str(folder / "own.pth"), out=out, allow_other_weights=True)
    yield model, folder / "own.pth", str(target)
    target.unlink()
    (folder / "own.pth").unlink()


def test_pool3_is_pytorch_fids(reference):
    torch = pytest.importorskip("torch")
    model, _, path = reference
    features = load_features("inception_v3", ("pool3",), path)
    found = np.asarray(jax.jit(features.apply)(features.params, images())["pool3"])
    with torch.no_grad():
        expected = model(torch.tensor(images()).permute(0, 3, 1, 2))[0].permute(0, 2, 3, 1).numpy()
    assert found.shape == expected.shape == (2, 1, 1, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.std())
    assert (expected > 0).mean() > 0.5 and np.abs(expected[0] - expected[1]).mean() > 0.1 * expected.std()


def test_folding_keeps_the_running_statistics_and_their_epsilon(reference):
    torch = pytest.importorskip("torch")
    model, path, _ = reference
    unit = model.blocks[2][0].branch5x5_2  # BasicConv2d: convolution, normalisation, ReLU
    folded = import_inception_v3.read(path)["Mixed_5b"]["branch5x5_2"]["conv"]
    x = np.random.default_rng(0).normal(size=(1, 48, 9, 11)).astype(np.float32)
    with torch.no_grad():
        weight = torch.tensor(folded["kernel"].transpose(3, 2, 0, 1))
        found = torch.nn.functional.conv2d(torch.tensor(x), weight, torch.tensor(folded["bias"]), padding=2).relu()
        expected = unit(torch.tensor(x))
    assert unit.bn.eps == import_inception_v3.EPSILON
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_any_array_that_is_absent_or_of_another_shape_is_refused(tmp_path):
    arrays = {}
    for name, (height, width, channels, out) in import_inception_v3.STEM.items():
        arrays[f"{name}.conv.weight"] = np.zeros((out, channels, height, width), np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{name}.bn.{part}"] = np.ones(out, np.float32)
    safetensors_tree.save(tmp_path / "s.safetensors", arrays)
    with pytest.raises(UserError, match=r"no InceptionV3 of pytorch-fid: it has no 'Mixed_5b.branch1x1.conv.weight'"):
        import_weights("inception_v3", str(tmp_path / "s.safetensors"), allow_other_weights=True)
    arrays["Conv2d_4a_3x3.bn.running_var"] = np.ones(5, np.float32)
    safetensors_tree.save(tmp_path / "s.safetensors", arrays)
    with pytest.raises(UserError, match=r"'Conv2d_4a_3x3.bn.running_var' has shape \(5,\), not \(192,\)"):
        import_weights("inception_v3", str(tmp_path / "s.safetensors"), allow_other_weights=True)


def test_its_shapes_are_the_importers():
    image = jax.ShapeDtypeStruct((1, 20, 30, 3), jnp.float32)
    found, variables = jax.eval_shape(InceptionV3().init_with_output, jax.random.key(0), image)
    shapes = {**import_inception_v3.STEM}
    for block, units in import_inception_v3.BLOCKS.items():
        shapes |= {f"{block}/{name}": shape for name, shape in units.items()}
    kernels = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]):
        *names, part = (key.key for key in path)
        if part == "kernel":
            kernels["/".join(names[:-1])] = leaf.shape
    assert kernels == shapes and len(shapes) == 94
    assert found["pool3"].shape == (1, 1, 1, 2048)


@pytest.mark.parametrize(("layers", "shape"), [(("pool3",), (1, 8, 8, 4)), ((), (1, 8, 8, 3)), (("fc",), (1, 8, 8, 3))])
def test_what_it_cannot_see_is_refused(layers, shape):
    with pytest.raises(ValueError, match="InceptionV3"):
        jax.eval_shape(InceptionV3(layers).init, jax.random.key(0), jnp.zeros(shape))
