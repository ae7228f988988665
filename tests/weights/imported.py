"""Published files of weights, made of this toolkit's variables, and what an import makes of them."""

import json

import jax
import numpy as np
import pytest

from scan_jax.core.run_layout import BUNDLE, CONFIG
from scan_jax.inference.inpainter import Inpainter
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights


def write(path, state, section=""):
    """A state dict as safetensors, or as PyTorch keeps it: alone, or in a section of what a training saves."""
    if path.suffix == ".safetensors":
        safetensors_tree.save(path, state)
    else:
        torch = pytest.importorskip("torch")
        tensors = {name: torch.tensor(np.array(value)) for name, value in state.items()}
        torch.save({"n_iter": 7, section: tensors, "optimizer": {"state": {}}} if section else tensors, path)
    return path


def imported(name, path):
    """The folder of the bundle that a file is imported to, beside the file."""
    return import_weights(name, str(path), out=str(path.parent / "bundle"))


def arrays(bundle):
    return safetensors_tree.load(bundle / BUNDLE)[0]


def assert_holds(bundle, wanted, method, licence, *, rtol=0.0, size=256):
    """The bundle has these arrays and notes, tells what method it is, and is loaded as a network that fills holes."""
    found, noted = safetensors_tree.load(bundle / BUNDLE)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, strict=True), found, wanted)
    assert noted["weights"] == "other" and noted["licence"].startswith(licence)
    config = json.loads((bundle / CONFIG).read_text())
    assert (config["method"], config["data"]["size"]) == (method, size)
    inpainter = Inpainter.load(bundle)
    assert (inpainter.size, inpainter.num_labels) == (size, method.get("num_labels", 0))


def assert_fills_holes(bundle):
    """It changes a photograph in its hole alone."""
    inpainter = Inpainter.load(bundle)
    image, hole = np.full((40, 50, 3), 90, np.uint8), np.zeros((40, 50), bool)
    hole[10:20, 10:30] = True
    filled = inpainter(image, hole, np.zeros((40, 50), int) if inpainter.num_labels else None)
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert np.any(filled[hole] != 90)
