"""ONNX files: run by onnxruntime, they answer as the network does."""

import contextlib

import miniatures
import numpy as np
import onnxruntime
import pytest
from PIL import Image
from small_networks import MASKED_ATTENTION, PLAIN, SCAN, observation, small_trained

from scan_jax.core.errors import UserError
from scan_jax.inference.bundles import exporting, onnx_file, program
from scan_jax.inference.inpainter import Inpainter
from scan_jax.weights import safetensors_tree


def test_sizes_and_missing_packages_are_said_in_one_line(monkeypatch):
    assert onnx_file.read_size("96x128") == (96, 128)
    for text in ("96", "96x", "ax3", "0x64"):
        with pytest.raises(UserError, match="--onnx wants HEIGHTxWIDTH"):
            onnx_file.read_size(text)
    monkeypatch.setattr(onnx_file, "PACKAGES", ("no_such_package",))
    with pytest.raises(UserError, match=r'needs no_such_package: pip install "scan_jax\[onnx\]"'):
        onnx_file.require_onnx()
    with pytest.raises(UserError, match="multiples of 8, not 96x100"):
        onnx_file.make_onnx(small_trained(PLAIN).method, {}, (96, 100))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "size"),
    [(SCAN, (24, 40))]
    + [({**MASKED_ATTENTION, "attention": kind}, (96, 64)) for kind in ("none", "self", "masked", "contextual")],
)
def test_onnxruntime_answers_as_the_network(section, size):
    """On another photograph than the one on which `make_onnx` has compared already."""
    trained = small_trained(section)
    arrays = safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})
    made = onnx_file.make_onnx(trained.method, arrays, size, {"hole_files": "white = hole", "stride": 8})
    told = onnxruntime.InferenceSession(made)
    assert told.get_modelmeta().custom_metadata_map == {"hole_files": "white = hole", "stride": "8"}
    shapes = {"image": [1, *size, 3], "known": [1, *size, 1], "labels": [1, *size]}
    wanted = dict(list(shapes.items())[: 3 if trained.method.num_labels else 2])
    assert {each.name: each.shape for each in told.get_inputs()} == wanted
    assert [(each.name, each.shape) for each in told.get_outputs()] == [("filled", [1, *size, 3])]
    image, known, *labels = observation((1, *size), trained.method.num_labels, seed=5)
    seen = [image * known, known, *labels[: trained.method.num_labels]]
    truth = program.make_fill(trained.method)(arrays, *seen)
    assert np.abs(onnx_file.run_onnx(made, *seen) - np.asarray(truth)).max() < 1e-5


@pytest.mark.slow
def test_an_export_with_an_onnx_file_still_loads(tmp_path):
    exporting.export(small_trained(PLAIN), tmp_path / "bundle", platforms=(), onnx=(16, 24))
    miniatures.write(tmp_path / "bundle" / "photo.png", np.full((16, 24, 3), 77, np.uint8))
    miniatures.write(tmp_path / "bundle" / "hole.png", np.eye(16, 24, dtype=np.uint8) * 255)
    card = (tmp_path / "bundle" / "README.md").read_text()
    with contextlib.chdir(tmp_path / "bundle"):
        exec(card.split("## With ONNX")[1].split("```python\n")[1].split("```")[0], {})
    filled = np.asarray(Image.open(tmp_path / "bundle" / "filled.png"))
    assert filled.shape == (16, 24, 3) and (filled[~np.eye(16, 24, dtype=bool)] == 77).all()
    assert (tmp_path / "bundle" / "fill.onnx").stat().st_size > 1000
    Inpainter.load(tmp_path / "bundle")
    (tmp_path / "bundle" / "fill.onnx").write_bytes(b"another")
    with pytest.raises(UserError, match=r"fill\.onnx"):
        Inpainter.load(tmp_path / "bundle")
