import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

from scan_jax.errors import UserError
from scan_jax.weights import registry, safetensors_tree
from scan_jax.weights.__main__ import main
from scan_jax.weights.import_vgg19 import layout
from scan_jax.weights.importing import import_weights


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def vgg19_state(value=0.5):
    """Torchvision's names and shapes; arrays of one repeated number."""
    state = {}
    for index, channels, width in layout().values():
        state[f"features.{index}.weight"] = np.full((width, channels, 3, 3), value, np.float32)
        state[f"features.{index}.bias"] = np.full((width,), value, np.float32)
    return state


def write_pth(path, state, **options):
    torch = pytest.importorskip("torch")
    # expand() keeps the file small: one number stands for the array
    torch.save(
        {key: torch.tensor(float(array.flat[0])).expand(array.shape) for key, array in state.items()}, path, **options
    )


def test_layout_is_torchvisions():
    assert [index for index, _, _ in layout().values()] == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert layout()["conv3_1"] == (10, 128, 256) and layout()["conv5_4"] == (34, 512, 512)


@pytest.mark.parametrize("zipped", [True, False])
def test_pth_needs_the_published_hash_or_leave(tmp_path, capsys, weights_folder, zipped):
    path = tmp_path / "vgg19-dcbd9e11.pth"
    write_pth(path, {**vgg19_state(), "classifier.0.weight": np.zeros((2, 2))}, _use_new_zipfile_serialization=zipped)
    found = registry.sha256_of(path)
    assert main(["import", "vgg19", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "expected sha256 dcbd9e11" in error and f"found {found}" in error
    assert error.count("\n") == 1 and not weights_folder.exists()

    assert main(["import", "vgg19", str(path), "--allow_other_weights"]) == 0
    target = weights_folder / "vgg19.safetensors"
    assert capsys.readouterr().out == f"{target}  sha256 {registry.sha256_of(target)}\n"
    tree, metadata = safetensors_tree.load(target)
    assert tree.keys() == layout().keys() and tree["conv2_1"]["kernel"].shape == (3, 3, 64, 128)
    assert metadata["source"] == path.name and metadata["source_sha256"] == found
    assert metadata["weights"] == "other" and metadata["network"] == "vgg19"


def test_the_published_hash_is_accepted_and_noted(tmp_path, monkeypatch):
    path = tmp_path / "some.safetensors"
    safetensors_tree.save(path, vgg19_state())
    module = registry.importer("vgg19")
    monkeypatch.setattr(
        module, "SOURCE", module.SOURCE.__class__("vgg19", "f", registry.sha256_of(path)[:8], "o", "free")
    )
    metadata = safetensors_tree.load(import_weights("vgg19", str(path), out=str(tmp_path / "deep" / "out")))[1]
    assert metadata["weights"] == "published" and metadata["licence"] == "free"


def test_kernels_are_turned_from_oihw_to_hwio(tmp_path):
    state = vgg19_state()
    state["features.5.weight"] = np.random.default_rng(0).normal(size=(128, 64, 3, 3)).astype(np.float32)
    safetensors_tree.save(tmp_path / "v.safetensors", state)
    target = import_weights("vgg19", str(tmp_path / "v.safetensors"), allow_other_weights=True)
    kernel = safetensors_tree.load(target)[0]["conv2_1"]["kernel"]
    assert kernel[0, 2, 7, 11] == state["features.5.weight"][11, 7, 0, 2]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("features.34.bias"), "no 'features.34.bias'"),
        (lambda state: state.update({"features.0.weight": np.zeros((64, 3, 5, 5))}), r"shape \(64, 3, 5, 5\)"),
    ],
)
def test_another_network_is_refused(tmp_path, change, complaint):
    state = vgg19_state()
    change(state)
    safetensors_tree.save(tmp_path / "v.safetensors", state)
    with pytest.raises(UserError, match=complaint):
        import_weights("vgg19", str(tmp_path / "v.safetensors"), allow_other_weights=True)


class Evil:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_pth_never_runs(tmp_path):
    pytest.importorskip("torch")
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"features.0.weight": Evil(tmp_path / "ran")}, protocol=2))
    with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
        import_weights("vgg19", str(path), allow_other_weights=True)
    assert not (tmp_path / "ran").exists()


def test_a_truncated_pth_is_an_error(tmp_path):
    path = tmp_path / "v.pth"
    write_pth(path, vgg19_state())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
        import_weights("vgg19", str(path), allow_other_weights=True)


@pytest.mark.parametrize(("name", "module"), [("vgg19", "torch"), ("squeezenet", "h5py")])
def test_an_absent_reader_is_named(tmp_path, monkeypatch, name, module):
    (tmp_path / "w.bin").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"pip install {module}"):
        import_weights(name, str(tmp_path / "w.bin"), allow_other_weights=True)


def test_bad_hdf5_files_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(UserError, match="damaged or no HDF5"):
        import_weights("squeezenet", str(tmp_path / "text.h5"), allow_other_weights=True)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("conv1").attrs["weight_names"] = [b"conv1/gamma:0"]
    with pytest.raises(UserError, match="layer 'conv1' lists no kernel"):
        import_weights("squeezenet", str(tmp_path / "other.h5"), allow_other_weights=True)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(UserError, match="no layer 'conv1'"):
        import_weights("squeezenet", str(tmp_path / "empty.h5"), allow_other_weights=True)


def test_unknown_names_and_missing_files(tmp_path, capsys):
    assert main(["import", "vgg91", "x"]) == 1
    assert "did you mean 'vgg19'" in capsys.readouterr().err
    assert main(["import", "vgg19", str(tmp_path / "absent.pth")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["import", "vgg19", str(tmp_path)]) == 1
    assert "Is a directory" in capsys.readouterr().err


def test_list_tells_sources_and_what_is_there(capsys, weights_folder):
    weights_folder.mkdir()
    (weights_folder / "squeezenet.safetensors").write_bytes(b"")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert f"squeezenet: {weights_folder / 'squeezenet.safetensors'}" in out and "vgg19: not imported" in out
    assert "python -m scan_jax.weights import vgg19 /path/to/vgg19-dcbd9e11.pth" in out


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from scan_jax.weights.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('jax', 'numpy', 'torch', 'h5py', 'safetensors', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout
