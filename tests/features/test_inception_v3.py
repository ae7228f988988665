"""InceptionV3 against pytorch-fid's, with random weights and random running statistics."""

import jax
import numpy as np
import public_networks
import pytest
from refusals import refused

from scan_jax.core.errors import UserError
from scan_jax.features.api import load_features
from scan_jax.weights import import_inception_v3, safetensors_tree
from scan_jax.weights.importing import import_weights


def images(height=48, width=61):
    """A ramp with texture, and noise: [2,H,W,3] in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x / width, y / height, 0.5 + 0.5 * np.sin((x + 2 * y) / 7)], axis=-1)
    return np.stack([ramp, np.random.default_rng(0).uniform(size=ramp.shape)]).astype(np.float32)


@pytest.mark.slow
def test_pool3_is_pytorch_fids(tmp_path):
    torch = pytest.importorskip("torch")
    model, state = public_networks.fid_inception()
    torch.save(state, tmp_path / "own.pth")
    path = import_weights("inception_v3", str(tmp_path / "own.pth"), out=str(tmp_path / "w"), allow_other_weights=True)
    features = load_features("inception_v3", ("pool3",), str(path))
    for file in (path, tmp_path / "own.pth"):  # large
        file.unlink()
    found = np.asarray(jax.jit(features.apply)(features.params, images())["pool3"])
    with torch.no_grad():
        expected = model(torch.tensor(images()).permute(0, 3, 1, 2))[0].permute(0, 2, 3, 1).numpy()
    assert found.shape == expected.shape == (2, 1, 1, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.std())
    assert (expected > 0).mean() > 0.5 and np.abs(expected[0] - expected[1]).mean() > 0.1 * expected.std()


def test_any_array_that_is_absent_or_of_another_shape_is_refused(tmp_path):
    arrays = {}
    for name, (height, width, channels, out) in import_inception_v3.STEM.items():
        arrays[f"{name}.conv.weight"] = np.zeros((out, channels, height, width), np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{name}.bn.{part}"] = np.ones(out, np.float32)
    misshapen = {**arrays, "Conv2d_4a_3x3.bn.running_var": np.ones(5, np.float32)}
    for tree, complaint in (
        (arrays, "no InceptionV3 of pytorch-fid: it has no 'Mixed_5b.branch1x1.conv.weight'"),
        (misshapen, r"'Conv2d_4a_3x3.bn.running_var' has shape \(5,\), not \(192,\)"),
    ):
        safetensors_tree.save(tmp_path / "s.safetensors", tree)
        case = "inception_v3", str(tmp_path / "s.safetensors")
        refused(complaint, import_weights, case, error=UserError, allow_other_weights=True)
