"""MI-GAN's published files, made of random weights, are read alike, and without PyTorch or ONNX."""

import dataclasses
import hashlib
import sys

import numpy as np
import pytest
from imported import arrays, assert_fills_holes, assert_holds, imported, write
from torch_migan import Network, draw, torch

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE
from scan_jax.weights import import_migan, onnx_tensors, safetensors_tree

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
SIDES, WIDTHS = (16, 8, 4), (4, 8, 8)
METHOD = {"name": "migan", "width": 4, "halvings": 2, "max_channels": 8, "noise": 16, "kernels": "unit"}


def state_dict(path, state):
    torch.save(state, path)


def script(path, state):
    torch.jit.trace(Network(state), torch.rand(1, 4, 16, 16), check_trace=False).save(path)


def safetensors(path, state):
    write(path, {f"generator.{name}": value.numpy() for name, value in state.items()})


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number, content):
    """Of a protocol buffer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name, value, *, packed=False):
    value = np.asarray(value)
    kind = {"float32": 1, "int64": 7, "float16": 10, "float64": 11}[value.dtype.name]
    shape = field(1, b"".join(map(varint, value.shape))) if packed else b"".join(field(1, n) for n in value.shape)
    content = field(4, value.tobytes()) if packed else field(9, value.tobytes())
    return field(5, shape + field(2, kind) + content + field(8, name))


def node(kind, *inputs, output="x"):
    return field(1, b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind))


def onnx(path, state):
    """As PyTorch exports the pipeline: noise times strength, and of equal tensors one, by another name."""
    parts = [tensor("shape", np.array([1, 2])), node("Conv", "a", "b")]
    for name, value in state.items():
        layer = f"model.{name.rpartition('.')[0]}"
        if name.endswith("noise_const"):
            strength = state[name.replace("noise_const", "noise_strength")]
            constant = f"onnx::Add_{len(parts)}"
            parts += [tensor(constant, strength * value), node("Add", f"{layer}/Conv_output", constant)]
        elif name == "encoder.b8.conv1.conv1.bias":
            parts += [tensor("same", value, packed=True), node("Identity", "same", output=f"model.{name}")]
        elif not name.endswith("noise_strength"):
            parts.append(tensor(f"model.{name}", value))
    path.write_bytes(field(1, 8) + varint(5 << 3 | 5) + bytes(4) + field(2, "pytorch") + field(7, b"".join(parts)))


FORMS = {
    "migan.pt": state_dict,
    "migan_traced.pt": script,
    "migan.safetensors": safetensors,
    "migan_pipeline_v2.onnx": onnx,
}


@pytest.fixture(scope="module")
def state():
    return draw(SIDES, WIDTHS)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_the_same_generator(tmp_path, state, monkeypatch, name):
    safetensors(tmp_path / "again.safetensors", state)
    wanted = arrays(imported("migan", tmp_path / "again.safetensors"))  # beside PyTorch: `models/test_migan.py`
    FORMS[name](tmp_path / name, state)
    monkeypatch.setitem(sys.modules, "torch", None)
    if name.endswith(".onnx"):  # only the product of noise and strength is known there
        params, noise = wanted["params"]["generator"], wanted["stats"]["generator"]["noise"]
        for layer in noise:
            strength = params[layer]["noise_strength"]
            params[layer]["noise_strength"] = np.std(strength * noise[layer]["tile"])
            noise[layer]["tile"] = strength * noise[layer]["tile"] / params[layer]["noise_strength"]
    bundle = imported("migan", tmp_path / name)
    assert_holds(bundle, wanted, METHOD, "MIT", rtol=1e-5 if name.endswith(".onnx") else 0.0, size=16)
    assert_fills_holes(bundle)


def test_the_published_pipeline_is_known_by_its_size_and_how_its_digest_begins(tmp_path, state, monkeypatch):
    onnx(tmp_path / "a.onnx", state)
    content = (tmp_path / "a.onnx").read_bytes()
    beginnings, digest = import_migan.IMPORTERS["migan"].beginnings, hashlib.sha256(content).hexdigest()
    assert beginnings == {"6f1f3530": 28_079_181}
    for digits, size, weights in ((digest[:8], 0, "published"), (digest[:8], 1, "other"), (digest[1:9], 0, "other")):
        known = dataclasses.replace(import_migan.IMPORTERS["migan"], beginnings={digits: len(content) + size})
        monkeypatch.setitem(import_migan.IMPORTERS, "migan", known)
        _, noted = safetensors_tree.load(imported("migan", tmp_path / "a.onnx") / BUNDLE)
        assert noted["weights"] == weights


def test_what_is_none_of_it_is_refused_in_a_line(tmp_path, state):
    for name in ("cut.pt", "cut.onnx"):
        FORMS["migan.pt" if name == "cut.pt" else "migan_pipeline_v2.onnx"](tmp_path / name, state)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    torch.save({**state, "synthesis.b8.torgb.weight": torch.zeros(3, 9, 1, 1)}, tmp_path / "wide.pt")
    torch.save({**state, "encoder.b8.conv2.downsample.filter.weight": torch.ones(8, 1, 4, 4)}, tmp_path / "filter.pt")
    torch.save(draw((16, 4), (4, 8)), tmp_path / "gap.pt")
    torch.save({"encoder.b4.conv0.weight": torch.zeros(4, 4, 3, 3)}, tmp_path / "comodgan.pt")
    (tmp_path / "network.pkl").write_bytes(b"cos\nsystem\n")
    (tmp_path / "other.onnx").write_bytes(field(1, 8) + field(7, tensor("a", np.zeros(3, np.float32))))
    (tmp_path / "away.onnx").write_bytes(field(7, field(5, field(8, "a") + field(13, field(1, "location")))))
    (tmp_path / "text.onnx").write_bytes(b"not a program")
    for name, message in {
        "cut.pt": "is damaged or no archive that PyTorch wrote",
        "cut.onnx": r"is damaged or no ONNX file \(it ends too early\); get it anew",
        "wide.pt": r"'synthesis.b8.torgb.weight' has shape \(3, 9, 1, 1\), not \(3, 8, 1, 1\)",
        "filter.pt": "'encoder.b8.conv2.downsample.filter.weight' is not the smoothing by 1, 3, 3, 1",
        "gap.pt": "channels by pixels a side are 4 at 16, 8 at 4$",
        "comodgan.pt": "no 'encoder.b4.conv1.conv1.weight'; the nearest that it has is 'encoder.b4.conv0.weight'",
        "network.pkl": "is a pickle of the training, which is not opened",
        "other.onnx": "no 'encoder.b4.conv1.conv1.weight'; the nearest that it has is 'a'",
        "away.onnx": "'a' lies in another file",
        "text.onnx": "is damaged or no ONNX file",
        "absent.onnx": "cannot read .*absent.onnx: No such file",
    }.items():
        with pytest.raises(UserError, match=message):
            imported("migan", tmp_path / name)
        assert not (tmp_path / "bundle").exists()


def test_constants_of_onnx_files(tmp_path):
    """Of any floating type, packed or not; whole numbers are none."""
    draws = np.random.default_rng(0).normal(size=(2, 300))
    given = {"half": np.float16(draws), "one": np.float32(3), "double": draws, "none": np.zeros((0, 2), np.float32)}
    parts = [tensor(name, value) for name, value in given.items()] + [tensor("whole", np.arange(3))]
    packed = tensor("packed", np.float32(draws), packed=True)
    (tmp_path / "a.onnx").write_bytes(field(7, b"".join([*parts, packed, node("Relu", "half", output="y")])))
    found, nodes = onnx_tensors.read(tmp_path / "a.onnx")
    assert set(found) == {*given, "packed"} and nodes == [onnx_tensors.Node("Relu", ("half",), ("y",))]
    for name, value in (given | {"packed": draws}).items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], np.float32(value), strict=True)
