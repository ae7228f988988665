"""A bundle fills as the network did that it was made from, and everything that is wrong with one is refused."""

import dataclasses
import hashlib
import io
import itertools
import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from PIL import Image
from small_networks import MASKED_ATTENTION, PLAIN, small_trained

from scan_jax.core.errors import UserError
from scan_jax.core.folder_lock import LOCK
from scan_jax.inference.bundles import exporting
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.trained import Trained, parameter_hash
from scan_jax.weights import safetensors_tree

WITH_LABELS = {**MASKED_ATTENTION, "attention": "none"}  # traced faster
HEAVY = (
    *("orbax", "grain", "tensorflow_datasets", "clu", "tensorflow", "ml_collections", "matplotlib", "skimage", "optax"),
    *("sklearn", "array_record", "h5py", "jinja2", "tensorstore", "scan_jax.training"),
)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A bundle without a program, and the network that it was made from."""
    folder, trained = tmp_path_factory.mktemp("bundles") / "small", small_trained(PLAIN)
    exporting.export(trained, folder, licence="CC0", platforms=())
    hashed = {}
    for name in ("fill.stablehlo", "fill.onnx"):
        (folder / name).write_bytes(b"a program")
        hashed[name] = sha256(folder / name)  # noted below, so that it counts
    edit(folder, lambda config: config["bundle"]["sha256"].update(hashed))
    return folder, trained


@pytest.fixture
def bundle(written, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(written[0], tmp_path / "bundle")


def refusal(folder):
    """The one line with which the folder is refused."""
    with pytest.raises(UserError) as refused:
        Inpainter.load(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def without_section(folder):
    """As older exports were."""
    edit(folder, lambda config: config.pop("bundle"))


def test_it_says_what_it_takes_and_where_it_comes_from(written):
    folder, trained = written
    config = json.loads((folder / "config.json").read_text())
    section = config["bundle"]
    assert section["format"] == 1 and set(section["sha256"]) == {"model.safetensors", "fill.stablehlo", "fill.onnx"}
    assert section["stride"] == 8 and section["classes"] == [] and section["hole_files"] == "white = hole"
    assert section["image"]["range"] == [0, 1] and section["image"]["layout"] == "NHWC"
    assert section["known"] == {"layout": "NHWC", "dtype": "float32", "known": 1, "hole": 0}
    loaded = Trained.load(folder)
    assert loaded.identity == trained.identity == parameter_hash(trained.variables.params["generator"])
    assert loaded.noted["licence"] == "CC0"


def test_what_a_killed_export_left_goes_with_the_next(tmp_path):
    left, other, strange = (tmp_path / f".{name}.part" for name in ("small.0a1b", "other.0a1b", "small.2c3d"))
    for folder in (left, other, strange):
        folder.mkdir()
    for folder in (left, other):
        (folder / LOCK).touch()
    exporting.export(small_trained(PLAIN), tmp_path / "small", platforms=())
    assert sorted(tmp_path.iterdir()) == sorted([other, strange, tmp_path / "small"])
    assert {path.name for path in (tmp_path / "small").iterdir()} == {"model.safetensors", "config.json", "README.md"}


def test_classes_are_named(tmp_path):
    exporting.export(small_trained({**WITH_LABELS, "num_labels": 19}), tmp_path / "out", platforms=())
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["bundle"]["classes"][13] == "hair" and config["bundle"]["stride"] == 32
    assert "classes 0 to 18: 0 background, 1 skin" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("name", ["model.safetensors", "fill.stablehlo", "fill.onnx"])
def test_another_file_than_was_exported(bundle, name):
    expected = json.loads((bundle / "config.json").read_text())["bundle"]["sha256"][name]
    content = bytearray((bundle / name).read_bytes())
    content[-1] ^= 1
    (bundle / name).write_bytes(content)
    message = refusal(bundle)
    assert f"{name} is not the file that was exported" in message and expected[:12] in message
    (found,) = re.findall(r"begins with ([0-9a-f]{12})", message)
    assert found == sha256(bundle / name)[:12] != expected[:12]


@dataclasses.dataclass
class Trap:
    """Leaves a trace where it is unpickled."""

    path: Path

    def __reduce__(self):
        return open, (str(self.path), "w")


def as_torch_writes(pickled):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return buffer.getvalue()


@pytest.mark.parametrize("noted", [True, False], ids=["with hashes", "older"])
def test_a_pickle_in_place_of_the_arrays_is_not_opened(bundle, tmp_path, noted):
    if not noted:
        without_section(bundle)
    for wrap, protocol in itertools.product((bytes, as_torch_writes), (2, 5)):
        (bundle / "model.safetensors").write_bytes(wrap(pickle.dumps(Trap(tmp_path / "trace"), protocol)))
        assert "and no safetensors file; it was not opened" in refusal(bundle)
    if not noted:
        (bundle / "model.safetensors").write_bytes(pickle.dumps(Trap(tmp_path / "trace"), 0))  # of text
        assert "is damaged or no safetensors file" in refusal(bundle)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_beside_the_arrays_newer_formats_and_damaged_sections_are_refused(bundle, tmp_path):
    for name in ("optimizer.pkl", "net.pt", "NET.PTH", "last.ckpt", "pytorch_model.bin"):
        (bundle / name).write_bytes(pickle.dumps(Trap(tmp_path / "trace")))
        assert f"holds {name}, which may be a pickle" in refusal(bundle)
        (bundle / name).unlink()
    assert not (tmp_path / "trace").exists()
    edit(bundle, lambda config: config["bundle"].update(format=2))
    assert "is a bundle of format 2, and this scan_jax reads up to 1; update scan_jax" in refusal(bundle)
    for section in ({}, {"format": "1"}, {"format": 0}, [], {"format": 1, "sha256": "ab"}):
        edit(bundle, lambda config, section=section: config.update(bundle=section))
        assert "says no format; export the bundle anew" in refusal(bundle)


def test_arrays_cut_short(bundle):
    content = (bundle / "model.safetensors").read_bytes()
    (bundle / "model.safetensors").write_bytes(content[: len(content) * 2 // 3])
    assert "model.safetensors is not the file that was exported" in refusal(bundle)
    without_section(bundle)
    assert "is damaged or no safetensors file" in refusal(bundle)


def test_configs_of_another_network_or_none(bundle):
    for section in (WITH_LABELS, {**PLAIN, "width": 8}):
        edit(bundle, lambda config, section=section: config.update(method=section))
        assert "they are of another method, class count or width" in refusal(bundle)
    (bundle / "config.json").write_text("{")
    assert "config.json is damaged" in refusal(bundle)
    (bundle / "config.json").write_text("[]")
    assert "config.json" in refusal(bundle)
    (bundle / "config.json").unlink()
    assert "it has no config.json" in refusal(bundle)


def test_programs_may_be_left_out_and_bundles_of_older_exports_load(written, bundle):
    (bundle / "fill.stablehlo").unlink()
    assert Inpainter.load(bundle).step == 7
    without_section(bundle)
    (bundle / "README.md").unlink()
    assert Trained.load(bundle).identity == written[1].identity


def test_arrays_that_somebody_rounded_to_bfloat16_are_computed_with_in_float32(written, bundle):
    without_section(bundle)
    tree, _ = safetensors_tree.load(bundle / "model.safetensors")
    rounded = jax.tree.map(lambda array: array.astype(ml_dtypes.bfloat16), tree)
    safetensors_tree.save(bundle / "model.safetensors", rounded)
    params = rounded["params"]
    found = Trained.load(bundle).variables.params
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b.astype(np.float32), strict=True), found, params)


def test_filling_from_a_bundle_imports_nothing_of_training(written, tmp_path):
    for name, value in (("photo", 90), ("hole", 255)):
        picture = np.zeros((32, 40), np.uint8)
        picture[5:20, 5:20] = value
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    flags = [f"--run={written[0]}", *(str(tmp_path / f"{name}.png") for name in ("photo", "hole"))]
    code = f"""
import sys
from scan_jax.commands import inpaint
assert inpaint.main({[*flags, f"--out={tmp_path / 'filled.png'}"]!r}) == 0
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert (tmp_path / "filled.png").is_file()
