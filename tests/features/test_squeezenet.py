import os

import h5py
import jax
import numpy as np
import pytest

from scan_jax.features.api import load_features
from scan_jax.features.squeezenet import LAYERS, SCALES
from scan_jax.weights.importing import import_weights

torch = pytest.importorskip("torch")
# fire -> channels in, squeezed, expanded (the paper's table for version 1.1)
FIRES = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128)}
FIRES |= {6: (256, 48, 192), 7: (384, 48, 192), 8: (384, 64, 256), 9: (512, 64, 256)}
REAL = os.environ.get("SCAN_JAX_SQUEEZENET_H5", "")


def write_keras_file(path):
    """Random weights in the layout of the published file, with the suffixes that Keras gives to reused names."""
    rng = np.random.default_rng(0)
    shapes = {"conv1": (3, 3, 3, 64)}
    for i, (channels, squeezed, expanded) in FIRES.items():
        shapes[f"fire{i}/squeeze1x1"] = (1, 1, channels, squeezed)
        shapes |= {f"fire{i}/expand{k}x{k}": (k, k, squeezed, expanded) for k in (1, 3)}
    with h5py.File(path, "w") as file:
        for layer, shape in shapes.items():
            group = file.create_group(layer)
            kernel, bias = names = [f"{layer}_3/kernel:0", f"{layer}_3/bias:0"]
            group.attrs["weight_names"] = [name.encode() for name in names]
            group[kernel] = (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:3]))).astype(np.float32)
            group[bias] = rng.normal(size=shape[-1:]).astype(np.float32)


def described_activations(path, image):
    """The network from its description, in float64, reading the HDF5 file by itself."""
    with h5py.File(path) as file:

        def convolve(x, layer, **options):
            found = {}
            file[layer].visititems(lambda name, node: found.update({name.split("/")[-1]: node}))
            kernel, bias = (torch.tensor(found[f"{part}:0"][()]).double() for part in ("kernel", "bias"))
            return torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, **options).relu()

        x = torch.tensor(image[..., ::-1].astype(np.float64) * 255 - [103.939, 116.779, 123.68]).permute(0, 3, 1, 2)
        x = convolve(x, "conv1", stride=2)
        found = {"relu_conv1": x}
        for i in FIRES:
            x = torch.nn.functional.max_pool2d(x, 3, 2) if i in (2, 4, 6) else x
            x = convolve(x, f"fire{i}/squeeze1x1")
            parts = convolve(x, f"fire{i}/expand1x1"), convolve(x, f"fire{i}/expand3x3", padding=1)
            x = found[f"fire{i}"] = torch.cat(parts, 1)
    return {name: value.permute(0, 2, 3, 1).numpy() for name, value in found.items()}


def synthetic(height, width):
    """Two images with edges, ramps and texture, [2,H,W,3] in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([0.5 + 0.5 * np.sin(x / 5), (x + y) / (height + width), ((x // 9 + y // 7) % 2) * 0.8], axis=-1)
    return np.stack([image, image[::-1, :, ::-1] ** 2]).astype(np.float32)


def errors_by_layer(path, features, image):
    found = jax.jit(features.apply)(features.params, image)
    expected = described_activations(path, image)
    assert found.keys() == expected.keys() == set(LAYERS) == SCALES.keys()
    unscaled = {name: np.asarray(found[name], np.float64) * SCALES[name] for name in LAYERS}
    return {n: np.abs(unscaled[n] - expected[n]).max() / np.abs(expected[n]).max() for n in LAYERS}, unscaled, expected


def test_every_activation_is_the_descriptions(tmp_path):
    write_keras_file(tmp_path / "own.h5")
    target = import_weights("squeezenet", str(tmp_path / "own.h5"), out=str(tmp_path / "s"), allow_other_weights=True)
    features = load_features("squeezenet", LAYERS, str(target))
    errors, found, _ = errors_by_layer(tmp_path / "own.h5", features, synthetic(71, 64))
    assert max(errors.values()) < 1e-5, errors
    assert found["fire9"].shape == (2, 3, 3, 512) and found["fire9"].std() > 1


@pytest.mark.skipif(not os.path.isfile(REAL), reason="SCAN_JAX_SQUEEZENET_H5 does not name the published HDF5 file")
def test_published_weights_give_the_descriptions_activations(tmp_path):
    features = load_features("squeezenet", LAYERS, str(import_weights("squeezenet", REAL, out=str(tmp_path / "s"))))
    errors, found, expected = errors_by_layer(REAL, features, synthetic(128, 128))
    assert max(errors.values()) < 1e-5, errors
    for statistic in (np.mean, np.std):
        assert abs(statistic(found["fire9"]) / statistic(expected["fire9"]) - 1) < 1e-5
    assert all(found[name].std() > 0.5 and 0.01 < (found[name] > 0).mean() < 0.95 for name in LAYERS)
