"""LaMa's published files, made of random weights, are read alike, and without PyTorch."""

import sys
import zipfile

import jax
import numpy as np
import pytest
from imported import arrays, assert_holds, imported, write
from torch_lama import Filling, Lama, torch

from scan_jax.core.errors import UserError
from scan_jax.inference.inpainter import Inpainter
from scan_jax.weights import registry, torch_archive

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
METHOD = {"name": "lama", "width": 4, "blocks": 1}


class OfTheTraining(dict):
    """What a training puts beside the weights."""

    def __reduce__(self):
        return OfTheTraining, (), {"loss": 1.0}, iter([1]), iter([("a", 2)])

    append = print


def checkpoint(path, network):
    generator = {f"generator.{name}": value for name, value in network.state_dict().items()}
    others = {f"generator_average.{name}": 0 * value for name, value in network.state_dict().items()}
    state = {**others, **generator, "discriminator.model0.0.weight": torch.zeros(3).half()}
    training = {"state_dict": state, "hyper_parameters": OfTheTraining(), OfTheTraining: torch.ones(2, dtype=bool)}
    torch.save({"epoch": 3, **training, "optimizer_states": [{"state": {0: torch.zeros(1)}}]}, path)


def download(path, network):
    checkpoint(path.with_name("best.ckpt"), network)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("big-lama/config.yaml", "run_title: b18_ffc075")
        file.write(path.with_name("best.ckpt"), "big-lama/models/best.ckpt")


def script(path, network):
    given = torch.rand(1, 3, 40, 40), torch.ones(1, 1, 40, 40)
    torch.jit.trace(Filling(network).eval(), given, strict=False, check_trace=False).save(path)


def state_dict(path, network):
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, path)


def safetensors(path, network):
    write(path, {f"generator.{name}": value.numpy() for name, value in network.state_dict().items()})


FORMS = {
    "best.ckpt": checkpoint,
    "big-lama.zip": download,
    "big-lama.pt": script,
    "lama.pth": state_dict,
    "lama.safetensors": safetensors,
}


@pytest.fixture(scope="module")
def network():
    return Lama(4, 1)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_the_same_generator(tmp_path, network, monkeypatch, name):
    FORMS[name](tmp_path / name, network)
    safetensors(tmp_path / "again.safetensors", network)
    wanted = arrays(imported("lama", tmp_path / "again.safetensors"))  # beside PyTorch: `models/test_lama.py`
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_holds(imported("lama", tmp_path / name), wanted, METHOD, "Apache-2.0", size=512)


def test_imported_weights_are_found_by_their_name(tmp_path, network, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not there yet: python -m scan_jax weights import lama "):
        Inpainter.load("lama")
    state_dict(tmp_path / "lama.pth", network)
    imported("lama", tmp_path / "lama.pth").rename(tmp_path / "lama")
    assert Inpainter.load("lama").about["method"] == "lama"


def test_what_is_none_of_it_is_refused_in_a_line(tmp_path, network):
    script(tmp_path / "whole.pt", network)
    content = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    wide = network.state_dict()
    wide["model.4.ffc.convl2g.weight"] = torch.zeros(3, 16, 3, 3)
    torch.save(wide, tmp_path / "wide.pth")
    torch.save({"generator.model.1.weight": torch.zeros(4, 4, 7, 7)}, tmp_path / "regular.ckpt")
    torch.save({"fc": 1}, tmp_path / "empty.pth")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a/photograph.png", b"")
    (tmp_path / "lama_fp32.onnx").write_bytes(b"")
    for name, message in {
        "cut.pt": "is damaged or no archive that PyTorch wrote",
        "wide.pth": r"'model.4.ffc.convl2g.weight' has shape \(3, 16, 3, 3\), not \(24, 16, 3, 3\)",
        "regular.ckpt": "no 'model.1.ffc.convl2l.weight'; the nearest that it has is 'generator.model.1.weight'",
        "empty.pth": "no 'model.1.ffc.convl2l.weight'$",
        "other.zip": "is damaged or no archive that PyTorch wrote",
        "lama_fp32.onnx": "an ONNX export, in which the names of the weights are lost",
    }.items():
        with pytest.raises(UserError, match=message):
            imported("lama", tmp_path / name)
        assert not (tmp_path / "bundle").exists()


def test_tensors_of_any_layout_are_read(tmp_path):
    torch.manual_seed(0)
    base = torch.rand(4, 5, 6)
    views = {"turned": base.transpose(0, 2), "part": base[1:, 2], "half": base.bfloat16(), "one": base[0, 0, 0]}
    torch.save({"a": views}, tmp_path / "a.pt")
    found = torch_archive.read(tmp_path / "a.pt", lambda names: "a.")
    jax.tree.map(np.testing.assert_array_equal, found, {name: view.float().numpy() for name, view in views.items()})
