"""A checkpoint in the layout of the public release comes back as this toolkit's parameters, colours turned around."""

import json
import os
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filled_holes import assert_fills_holes

from scan_jax.errors import UserError
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods import api
from scan_jax.run_layout import BUNDLE
from scan_jax.types import Example
from scan_jax.weights import safetensors_tree
from scan_jax.weights.importing import import_weights

WIDTH, CRITIC_WIDTH = 8, 4
SECTION = {"name": "gated_conv", "width": WIDTH, "critic_width": CRITIC_WIDTH}


def variables():
    """Random arrays of every shape that the method has."""
    example = Example(jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1)))
    shapes = jax.eval_shape(api.build_method(SECTION).init, jax.random.key(0), example)
    draw = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: 0.2 * draw.normal(size=leaf.shape).astype(np.float32), shapes)


def published(params):
    """The release's names and arrays: TensorFlow's, with colours as OpenCV has them."""
    state = {}

    def put(name, layer, *, sees=False, paints=False):
        kernel, bias = layer["kernel"], layer["bias"]
        if sees:
            kernel = np.concatenate([kernel[:, :, 2::-1], kernel[:, :, 3:]], axis=2)
        if paints:
            kernel, bias = kernel[..., ::-1], bias[::-1]
        state[f"{name}/kernel"], state[f"{name}/bias"] = kernel, bias

    generator = params["generator"]
    branches = (
        ("", generator["coarse_encoder"]),
        ("x", generator["fine_encoder"]),
        ("pm", {**generator["attentive_branch"]["encoder"], **_numbered(generator["attentive_branch"])}),
        ("", generator["coarse_decoder"]),
        ("all", generator["fine_decoder"]),
    )
    for prefix, branch in branches:
        for name, layer in branch.items():
            put(f"inpaint_net/{NAMES[prefix, name]}", layer, sees=name == "conv1", paints=name == "conv17")
    for name, layer in params["critic"].items():
        put(f"discriminator/sn_patch_gan/{name}", layer, sees=name == "conv1")
        draw = np.random.default_rng(1)
        state[f"discriminator/sn_patch_gan/{name}/kernel_sn/u"] = draw.normal(size=(1, len(layer["bias"])))
    # What an optimiser and the training loop leave beside them.
    state["inpaint_net/conv1/kernel/Adam"], state["beta1_power"] = np.zeros((5, 5, 5, WIDTH)), np.array(0.5)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in state.items()}


def _numbered(branch):
    return {name: layer for name, layer in branch.items() if name.startswith("conv")}


def _names():
    """Their name by branch and our name, written down from the release."""
    names = {}
    for prefix in ("", "x", "pm"):
        for number in (1, 3, 5, 6):
            names[prefix, f"conv{number}"] = f"{prefix}conv{number}"
        for number in (2, 4):
            names[prefix, f"conv{number}"] = f"{prefix}conv{number}_downsample"
    for prefix in ("", "x"):
        for number in (7, 8, 9, 10):
            names[prefix, f"conv{number}"] = f"{prefix}conv{number}_atrous"
    names |= {("pm", "conv9"): "pmconv9", ("pm", "conv10"): "pmconv10"}
    for prefix in ("", "all"):
        for number in (11, 12, 14, 16, 17):
            names[prefix, f"conv{number}"] = f"{prefix}conv{number}"
        names[prefix, "conv13"] = f"{prefix}conv13_upsample/{prefix}conv13_upsample_conv"
        names[prefix, "conv15"] = f"{prefix}conv15_upsample/{prefix}conv15_upsample_conv"
    return names


NAMES = _names()


class Reader:
    """What TensorFlow's reader of checkpoints gives."""

    def __init__(self, state):
        self._state = state

    def get_variable_to_shape_map(self):
        return {name: list(value.shape) for name, value in self._state.items()}

    def get_tensor(self, name):
        if self._state[name] is BROKEN:
            raise OpError("Data loss: not enough bytes\nin the file")
        return self._state[name]


class OpError(Exception):
    """TensorFlow's own."""


BROKEN = np.zeros((5, 5, 5, WIDTH), np.float32)


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A checkpoint's path, and a TensorFlow that finds `state` in it."""
    tree, place = variables(), tmp_path / "release"
    place.mkdir()
    path = place / "snap-0.index"
    path.write_bytes(b"an index")
    state, asked = published(tree.params), []

    def load_checkpoint(prefix):
        asked.append(prefix)
        return Reader(state)

    fake = types.SimpleNamespace(
        train=types.SimpleNamespace(load_checkpoint=load_checkpoint), errors=types.SimpleNamespace(OpError=OpError)
    )
    monkeypatch.setitem(sys.modules, "tensorflow", fake)
    return types.SimpleNamespace(path=path, state=state, tree=tree, asked=asked)


def test_every_array_finds_its_place(release, tmp_path):
    target = import_weights("gated_conv", str(release.path), out=str(tmp_path / "out"))
    found, metadata = safetensors_tree.load(target / BUNDLE)
    assert release.asked == [str(release.path.with_suffix(""))]
    assert jax.tree.structure(found["params"]) == jax.tree.structure(dict(release.tree.params))
    jax.tree.map(np.testing.assert_array_equal, found["params"], dict(release.tree.params))
    assert metadata["licence"].startswith("CC BY-NC")
    assert json.loads((target / "config.json").read_text())["method"] == SECTION


def test_the_critics_vectors_are_one_step_on(release, tmp_path):
    """The public code steps from u before every pass; what it then divides by is v W u."""
    target = import_weights("gated_conv", str(release.path), out=str(tmp_path / "out"))
    found = safetensors_tree.load(target / BUNDLE)[0]
    for name, layer in release.tree.params["critic"].items():
        matrix = np.float64(layer["kernel"]).reshape(-1, len(layer["bias"]))
        if name == "conv1":
            their_kernel = np.float64(release.state["discriminator/sn_patch_gan/conv1/kernel"])
            their_matrix = their_kernel.reshape(matrix.shape)
        u = np.float64(release.state[f"discriminator/sn_patch_gan/{name}/kernel_sn/u"])[0]
        v = matrix @ u / np.linalg.norm(matrix @ u)
        sigma = np.linalg.norm(v @ matrix)
        stored = found["stats"]["critic"]["spectral"][name]["vectors"]
        assert float(stored["v"] @ matrix @ stored["u"]) == pytest.approx(sigma, rel=1e-5)
        if name == "conv1":  # the order of colours does not matter to the norm
            v = their_matrix @ u / np.linalg.norm(their_matrix @ u)
            assert np.linalg.norm(v @ their_matrix) == pytest.approx(sigma, rel=1e-9)


def test_an_imported_generator_fills_holes(release, tmp_path):
    assert_fills_holes(import_weights("gated_conv", str(release.path), out=str(tmp_path / "out")))


def test_a_checkpoint_without_critic(release, tmp_path):
    for name in [name for name in release.state if name.startswith("discriminator")]:
        del release.state[name]
    target = import_weights("gated_conv", str(release.path), out=str(tmp_path / "out"))
    assert set(safetensors_tree.load(target / BUNDLE)[0]["params"]) == {"generator"}
    Inpainter.load(target)


@pytest.mark.parametrize("name", ["snap-0", "snap-0.data-00000-of-00001", "snap-0.meta", "."])
def test_other_names_of_the_same_checkpoint(release, name):
    from scan_jax.weights import import_gated_conv

    import_gated_conv.read(release.path.parent / name)
    assert release.asked == [str(release.path.with_suffix(""))]


def test_a_folder_of_two_checkpoints_is_refused(release):
    from scan_jax.weights import import_gated_conv

    (release.path.parent / "snap-8000.index").write_bytes(b"another")
    with pytest.raises(UserError, match=r"must hold one checkpoint.* found: snap-0\.index, snap-8000\.index"):
        import_gated_conv.read(release.path.parent)


def test_another_network_is_named_by_what_it_lacks(release):
    for name in [name for name in release.state if "atrous" in name]:
        del release.state[name]
    with pytest.raises(UserError, match="is no checkpoint of gated convolutions: it has no 'inpaint_net/conv7_atrous"):
        import_weights("gated_conv", str(release.path))


def test_another_shape_is_named_with_both(release):
    """The guided variant sees a sketch besides."""
    release.state["inpaint_net/conv1/kernel"] = np.zeros((5, 5, 6, WIDTH), np.float32)
    with pytest.raises(UserError, match=r"'inpaint_net/conv1/kernel' has shape \(5, 5, 6, 8\), not \(5, 5, 5, 8\)"):
        import_weights("gated_conv", str(release.path))


def test_a_damaged_checkpoint_is_one_clear_line(release):
    release.state["inpaint_net/conv1/kernel"] = BROKEN
    with pytest.raises(
        UserError, match=r"snap-0\.index is damaged or no TensorFlow checkpoint \(Data loss: not enough"
    ):
        import_weights("gated_conv", str(release.path))


def test_without_tensorflow_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    path = tmp_path / "snap-0.index"
    path.write_bytes(b"an index")
    with pytest.raises(UserError, match=r"needs TensorFlow, which is not installed: pip install tensorflow-cpu"):
        import_weights("gated_conv", str(path))


WRITE = """
import sys
import numpy as np
import tensorflow as tf
tf.compat.v1.disable_eager_execution()
arrays, prefix = np.load(sys.argv[1]), sys.argv[2]
for name in arrays:
    tf.compat.v1.get_variable(name, initializer=arrays[name])
with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().save(session, prefix)
"""
IMPORT = """
import sys
from scan_jax.weights.__main__ import main
sys.exit(main(["import", "gated_conv", *sys.argv[1:]]))
"""


def test_a_checkpoint_as_tensorflow_writes_it(tmp_path):
    """In processes of their own: TensorFlow warns of itself, and here warnings are errors."""

    def run(program, *arguments):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, env=environment
        )

    if run("import tensorflow").returncode:
        pytest.skip("needs TensorFlow, which is not installed")
    tree = variables()
    np.savez(tmp_path / "arrays.npz", **published(tree.params))
    written = run(WRITE, tmp_path / "arrays.npz", tmp_path / "snap-0")
    assert written.returncode == 0, written.stderr
    done = run(IMPORT, tmp_path / "snap-0.index", f"--out={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    found = safetensors_tree.load(tmp_path / "out" / BUNDLE)[0]
    jax.tree.map(np.testing.assert_array_equal, found["params"], dict(tree.params))
    data = tmp_path / "snap-0.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    cut = run(IMPORT, tmp_path / "snap-0.index", f"--out={tmp_path / 'out2'}")
    assert cut.returncode == 1
    assert "is damaged or no TensorFlow checkpoint" in cut.stderr.strip().splitlines()[-1]
    (tmp_path / "snap-0.index").write_bytes(b"nothing of the kind")
    other = run(IMPORT, tmp_path / "snap-0.index", f"--out={tmp_path / 'out3'}")
    assert "is damaged or no TensorFlow checkpoint" in other.stderr.strip().splitlines()[-1]
