import pathlib

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from scan_jax.errors import UserError
from scan_jax.weights import safetensors_tree


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


def test_tree_and_metadata_come_back_bit_for_bit(tmp_path):
    safetensors_tree.save(tmp_path / "t.safetensors", tree(), {"network": "x", "licence": "Ångström"})
    found, metadata = safetensors_tree.load(tmp_path / "t.safetensors")
    assert_same(found, tree())
    assert metadata == {"network": "x", "licence": "Ångström"}


def test_strided_and_jax_arrays_are_saved_by_value(tmp_path):
    strided = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    safetensors_tree.save(tmp_path / "t", {"strided": strided, "jax": jnp.arange(3.0)})
    found, metadata = safetensors_tree.load(tmp_path / "t")
    np.testing.assert_array_equal(found["strided"], strided)
    np.testing.assert_array_equal(found["jax"], [0.0, 1.0, 2.0])
    assert metadata == {}


def test_a_file_of_another_writer_is_read(tmp_path):
    save_file({"features.0.weight": np.ones(2, np.float32), "a/b": np.zeros(1, np.float32)}, tmp_path / "t")
    found, _ = safetensors_tree.load(tmp_path / "t")
    assert set(found) == {"features.0.weight", "a"} and set(found["a"]) == {"b"}


@pytest.mark.parametrize("kept", [0, 4, 50, -1])
def test_a_truncated_file_is_an_error(tmp_path, kept):
    path = tmp_path / "t.safetensors"
    safetensors_tree.save(path, tree())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"t\.safetensors is damaged"):
        safetensors_tree.load(path)


def test_a_flipped_bit_is_an_error(tmp_path):
    path = tmp_path / "t.safetensors"
    safetensors_tree.save(path, tree())
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="not those that were saved"):
        safetensors_tree.load(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(UserError, match="no file"):
        safetensors_tree.load(tmp_path / "absent.safetensors")
    with pytest.raises(UserError, match="no file"):
        safetensors_tree.load(tmp_path)


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    safetensors_tree.save(path, tree())

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(UserError, match="No space left on device"):
        safetensors_tree.save(path, {"other": np.ones(1000)})
    assert_same(safetensors_tree.load(path)[0], tree())
    assert [file.name for file in tmp_path.iterdir()] == ["t.safetensors"]


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_an_error(tmp_path):
    safetensors_tree.save(tmp_path / "new" / "a.safetensors", {"x": np.zeros(2, np.float32)})
    assert (tmp_path / "new" / "a.safetensors").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        safetensors_tree.save(tmp_path / "file" / "a.safetensors", {"x": np.zeros(2, np.float32)})


def test_the_file_is_readable_for_others_as_any_new_file(tmp_path):
    pathlib.Path(tmp_path / "plain").write_text("")
    safetensors_tree.save(tmp_path / "t", tree())
    assert (tmp_path / "t").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("bad", [{"a/b": np.ones(1)}, {"": np.ones(1)}, {"a": {3: np.ones(1)}}])
def test_keys_that_could_not_come_back_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="tree keys"):
        safetensors_tree.save(tmp_path / "t", bad)


@pytest.mark.parametrize("leaf", [[1.0, 2.0], None, "text"])
def test_leaves_that_are_no_arrays_are_refused(tmp_path, leaf):
    with pytest.raises(TypeError, match="the leaf a/b must be an array"):
        safetensors_tree.save(tmp_path / "t", {"a": {"b": leaf}})


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_name_cannot_be_leaf_and_branch(names):
    with pytest.raises(ValueError, match="both an array and a subtree"):
        safetensors_tree.unflatten(dict.fromkeys(names, np.ones(1)))
