"""ONNX files: run by onnxruntime, they answer as the network does."""

import numpy as np
import pytest

from scan_jax.errors import UserError
from scan_jax.inference.bundles import exporting, onnx_file, program
from scan_jax.inference.inpainter import Inpainter
from scan_jax.weights import safetensors_tree
from tests.small_networks import MASKED_ATTENTION, SCAN, small_trained


def test_sizes_and_missing_packages_are_said_in_one_line(monkeypatch):
    assert onnx_file.read_size("96x128") == (96, 128)
    for text in ("96", "96x", "ax3", "0x64"):
        with pytest.raises(UserError, match="--onnx wants HEIGHTxWIDTH"):
            onnx_file.read_size(text)
    monkeypatch.setattr(onnx_file, "PACKAGES", ("no_such_package",))
    with pytest.raises(UserError, match=r'needs no_such_package: pip install "scan_jax\[onnx\]"'):
        onnx_file.require_onnx()
    with pytest.raises(UserError, match="multiples of 8, not 96x100"):
        onnx_file.make_onnx(small_trained(SCAN).method, {}, (96, 100))


@pytest.mark.parametrize("attention", ["none", "self", "masked", "contextual"])
def test_masked_attention_by_onnxruntime(attention):
    answers_as_the_network({**MASKED_ATTENTION, "attention": attention}, (96, 64))


def test_scan_by_onnxruntime():
    answers_as_the_network(SCAN, (24, 40))


def answers_as_the_network(section, size):
    """On another photograph than the one on which `make_onnx` has compared already."""
    for package in onnx_file.PACKAGES:
        pytest.importorskip(package, reason='pip install "scan_jax[onnx]"')
    trained = small_trained(section)
    arrays = safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})
    made = onnx_file.make_onnx(trained.method, arrays, size)
    rng, shape = np.random.default_rng(5), (1, *size)
    known = np.ones((*shape, 1), np.float32)
    known[:, 3:20, 5:30] = 0
    labels = [rng.integers(0, 3, shape, np.int32)] if trained.method.num_labels else []
    seen = [rng.random((*shape, 3), np.float32) * known, known, *labels]
    truth = program.make_fill(trained.method)(arrays, *seen)
    assert np.abs(onnx_file.run_onnx(made, *seen) - np.asarray(truth)).max() < 1e-5


def test_an_export_with_an_onnx_file_still_loads(tmp_path):
    for package in onnx_file.PACKAGES:
        pytest.importorskip(package, reason='pip install "scan_jax[onnx]"')
    exporting.export(small_trained(SCAN), tmp_path / "bundle", platforms=(), onnx=(16, 16))
    assert (tmp_path / "bundle" / "fill.onnx").stat().st_size > 1000
    Inpainter.load(tmp_path / "bundle")
    (tmp_path / "bundle" / "fill.onnx").write_bytes(b"another")
    with pytest.raises(UserError, match=r"fill\.onnx"):
        Inpainter.load(tmp_path / "bundle")
