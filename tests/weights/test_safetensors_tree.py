"""A tree of arrays as a safetensors file, and what is refused."""

import json
import struct

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from scan_jax.core.errors import UserError
from scan_jax.weights import safetensors_tree


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.safetensors"


def tree():
    rng = np.random.default_rng(0)
    return {
        "a": {"kernel": rng.normal(size=(3, 2)).astype(np.float32), "scale": np.float32(2.5) * np.ones((), np.float32)},
        "b": {"c": {"half": np.arange(5).astype(ml_dtypes.bfloat16), "count": np.arange(3, dtype=np.int32)}},
        "empty": np.zeros((0, 4), np.float32),
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, node in expected.items():
        if isinstance(node, dict):
            assert_same(found[key], node)
        else:
            assert found[key].dtype == node.dtype and found[key].shape == node.shape
            np.testing.assert_array_equal(found[key], node)


def test_tree_and_metadata_come_back_bit_for_bit_whatever_the_arrays_and_whoever_wrote_them(path):
    safetensors_tree.save(path, tree(), {"network": "x", "licence": "Ångström"})
    found, metadata = safetensors_tree.load(path)
    assert_same(found, tree())
    assert metadata == {"network": "x", "licence": "Ångström"}
    strided = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    safetensors_tree.save(path, {"strided": strided, "jax": jnp.arange(3.0)})
    found, metadata = safetensors_tree.load(path)
    np.testing.assert_array_equal(found["strided"], strided)
    np.testing.assert_array_equal(found["jax"], [0.0, 1.0, 2.0])
    assert metadata == {}
    save_file({"features.0.weight": np.ones(2, np.float32), "a/b": np.zeros(1, np.float32)}, path)
    found, _ = safetensors_tree.load(path)
    assert set(found) == {"features.0.weight", "a"} and set(found["a"]) == {"b"}


def test_the_same_tree_and_metadata_are_the_same_bytes_in_any_order(path):
    metadata = {str(k): f"ü{k}" for k in range(8)}
    contents = set()
    for order in (metadata, dict(reversed(metadata.items()))):
        safetensors_tree.save(path, tree(), order)
        contents.add(path.read_bytes())
    assert len(contents) == 1 and safetensors_tree.load(path)[1] == metadata
    (length,) = struct.unpack("<Q", contents.pop()[:8])
    assert length % 8 == 0


@pytest.mark.parametrize("kept", [0, 4, 50, -1, None])
def test_a_truncated_file_and_a_flipped_bit_are_errors(path, kept):
    safetensors_tree.save(path, tree())
    content = bytearray(path.read_bytes())
    content[-3] ^= kept is None
    path.write_bytes(content[:kept])
    message = "not those that were saved" if kept is None else r"t\.safetensors is damaged"
    with pytest.raises(UserError, match=message):
        safetensors_tree.load(path)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4"])
def test_types_that_are_not_read_are_one_line(path, dtype):
    header = json.dumps({"a": {"dtype": dtype, "shape": [8], "data_offsets": [0, 8]}}).encode()
    size = 4 if dtype == "F4" else 8
    path.write_bytes(struct.pack("<Q", len(header)) + header.replace(b"0, 8", b"0, %d" % size) + bytes(size))
    with pytest.raises(UserError, match=r"t\.safetensors has tensors of a type that is not read \(.*\); save them"):
        safetensors_tree.read(path)


def test_a_missing_file_is_an_error_and_a_missing_folder_is_made(path, tmp_path):
    for absent in (path, path.parent):
        with pytest.raises(UserError, match="no file"):
            safetensors_tree.load(absent)
    safetensors_tree.save(tmp_path / "new" / "a.safetensors", {"x": np.zeros(2, np.float32)})
    assert (tmp_path / "new" / "a.safetensors").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        safetensors_tree.save(tmp_path / "file" / "a.safetensors", {"x": np.zeros(2, np.float32)})


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(path, monkeypatch):
    safetensors_tree.save(path, tree())

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(UserError, match="No space left on device"):
        safetensors_tree.save(path, {"other": np.ones(1000)})
    assert_same(safetensors_tree.load(path)[0], tree())
    assert [file.name for file in path.parent.iterdir()] == ["t.safetensors"]


def test_the_file_is_readable_for_others_as_any_new_file(path):
    path.with_name("plain").write_text("")
    safetensors_tree.save(path, tree())
    assert path.stat().st_mode == path.with_name("plain").stat().st_mode


def test_what_could_not_come_back_is_refused(path):
    for bad in {"a/b": np.ones(1)}, {"": np.ones(1)}, {"a": {3: np.ones(1)}}:
        with pytest.raises(ValueError, match="tree keys"):
            safetensors_tree.save(path, bad)
    for leaf in [1.0, 2.0], None, "text":
        with pytest.raises(TypeError, match="the leaf a/b must be an array"):
            safetensors_tree.save(path, {"a": {"b": leaf}})
    for names in ("a", "a/b"), ("a/b", "a"):
        with pytest.raises(ValueError, match="both an array and a subtree"):
            safetensors_tree.unflatten(dict.fromkeys(names, np.ones(1)))
