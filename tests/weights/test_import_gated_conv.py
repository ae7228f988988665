"""A checkpoint in the layout of the public release comes back as this toolkit's parameters, colours turned around."""

import functools
import hashlib
import os
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from imported import arrays, assert_fills_holes, assert_holds, imported

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE
from scan_jax.core.types import Example
from scan_jax.methods import api
from scan_jax.weights import import_gated_conv, safetensors_tree
from scan_jax.weights.importing import import_weights

WIDTH, CRITIC_WIDTH = 8, 4
SECTION = {"name": "gated_conv", "width": WIDTH, "critic_width": CRITIC_WIDTH}


@functools.cache
def parameters():
    example = Example(jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 64, 64, 1)))
    shapes = jax.eval_shape(api.build_method(SECTION).init, jax.random.key(0), example)
    draw = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: 0.2 * draw.normal(size=leaf.shape).astype(np.float32), dict(shapes.params))


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

    generator, attentive = params["generator"], params["generator"]["attentive_branch"]
    branches = (
        ("", generator["coarse_encoder"]),
        ("x", generator["fine_encoder"]),
        ("pm", {**attentive["encoder"], **{name: attentive[name] for name in ("conv9", "conv10")}}),
        ("", generator["coarse_decoder"]),
        ("all", generator["fine_decoder"]),
    )
    for prefix, branch in branches:
        for name, layer in branch.items():
            put(f"inpaint_net/{theirs(prefix, name)}", layer, sees=name == "conv1", paints=name == "conv17")
    for name, layer in params["critic"].items():
        put(f"discriminator/sn_patch_gan/{name}", layer, sees=name == "conv1")
        draw = np.random.default_rng(1)
        state[f"discriminator/sn_patch_gan/{name}/kernel_sn/u"] = draw.normal(size=(1, len(layer["bias"])))
    # What an optimiser and the training loop leave beside them.
    state["inpaint_net/conv1/kernel/Adam"], state["beta1_power"] = np.zeros((5, 5, 5, WIDTH)), np.array(0.5)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in state.items()}


def theirs(prefix, name):
    """Their name of a layer by branch and our name, written down from the release."""
    number, name = int(name.removeprefix("conv")), prefix + name
    if number in (13, 15):
        return f"{name}_upsample/{name}_upsample_conv"
    dilated = number in (7, 8, 9, 10) and prefix != "pm"
    return name + ("_downsample" if number in (2, 4) else "_atrous" if dilated else "")


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
    path, state, asked = tmp_path / "release" / "snap-0.index", published(parameters()), []
    path.parent.mkdir()
    path.write_bytes(b"an index")
    path.with_name("snap-0.data-00000-of-00001").write_bytes(b"data")

    def load_checkpoint(prefix):
        asked.append(prefix)
        return Reader(state)

    train, errors = types.SimpleNamespace(load_checkpoint=load_checkpoint), types.SimpleNamespace(OpError=OpError)
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(train=train, errors=errors))
    return types.SimpleNamespace(path=path, state=state, asked=asked)


def test_every_array_finds_its_place_and_the_critics_vectors_are_one_step_on(release):
    """The public code steps from u before every pass; what it then divides by is v W u."""
    bundle = imported("gated_conv", release.path)
    assert release.asked == [str(release.path.with_suffix(""))]
    stats = arrays(bundle)["stats"]
    assert_holds(bundle, {"params": parameters(), "stats": stats}, SECTION, "CC BY-NC")
    for name, layer in parameters()["critic"].items():
        matrix = np.float64(layer["kernel"]).reshape(-1, len(layer["bias"]))
        u = np.float64(release.state[f"discriminator/sn_patch_gan/{name}/kernel_sn/u"])[0]
        sigma = np.linalg.norm(matrix @ u / np.linalg.norm(matrix @ u) @ matrix)
        stored = stats["critic"]["spectral"][name]["vectors"]
        assert float(stored["v"] @ matrix @ stored["u"]) == pytest.approx(sigma, rel=1e-5)


@pytest.mark.slow
def test_an_imported_generator_fills_holes(release):
    assert_fills_holes(imported("gated_conv", release.path))


def test_a_checkpoint_without_critic(release):
    for name in [name for name in release.state if name.startswith("discriminator")]:
        del release.state[name]
    wanted = {"params": {"generator": parameters()["generator"]}}
    method = {"name": "gated_conv", "width": WIDTH}
    assert_holds(imported("gated_conv", release.path), wanted, method, "CC BY-NC")


@pytest.mark.parametrize("name", ["snap-0", "snap-0.data-00000-of-00001", "snap-0.meta", ".", "checkpoint"])
@pytest.mark.parametrize("note", ["snap-0", "/where/it/was/trained/snap-0"])
def test_other_names_of_the_same_checkpoint(release, name, note, tmp_path):
    (release.path.parent / "checkpoint").write_text(
        f'model_checkpoint_path: "{note}"\nall_model_checkpoint_paths: "snap-8000"\n'
    )
    bundle = import_weights("gated_conv", str(release.path.parent / name), out=str(tmp_path / "bundle"))
    assert release.asked == [str(release.path.with_suffix(""))]
    index, data = (hashlib.sha256(file).hexdigest() for file in (b"an index", b"data"))
    sums = f"{index}  snap-0.index\n{data}  snap-0.data-00000-of-00001\n"
    noted = safetensors_tree.load(bundle / BUNDLE)[1]
    assert (noted["source"], noted["source_sha256"]) == ("snap-0.index", hashlib.sha256(sums.encode()).hexdigest())


def test_files_that_are_missing_are_named(release):
    release.path.with_name("snap-0.data-00000-of-00001").unlink()
    for name, absent in (("snap-0.index", r"snap-0\.data-00000-of-00001"), ("snap-9", r"snap-9\.index")):
        with pytest.raises(UserError, match=rf"{absent} is missing; give its \.index file or its folder"):
            import_gated_conv.files(release.path.parent / name)


def test_a_folder_of_two_checkpoints_is_refused_and_without_tensorflow_the_command_is_named(release, monkeypatch):
    (release.path.parent / "snap-8000.index").write_bytes(b"another")
    with pytest.raises(UserError, match=r"must hold one checkpoint.* found: snap-0\.index, snap-8000\.index"):
        import_gated_conv.read(release.path.parent)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"needs TensorFlow, which is not installed: pip install tensorflow-cpu"):
        imported("gated_conv", release.path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("conv7_atrous", None, "is no checkpoint of gated convolutions: it has no 'inpaint_net/conv7_atrous"),
        # The guided variant sees a sketch besides.
        (
            "conv1",
            np.zeros((5, 5, 6, WIDTH)),
            r"'inpaint_net/conv1/kernel' has shape \(5, 5, 6, 8\), not \(5, 5, 5, 8\)",
        ),
        ("conv1", BROKEN, r"snap-0\.index is damaged or no TensorFlow checkpoint \(Data loss: not enough"),
    ],
)
def test_another_network_another_shape_and_damage_are_named(release, name, change, message):
    release.state[f"inpaint_net/{name}/kernel"] = change
    if change is None:
        del release.state[f"inpaint_net/{name}/kernel"]
    with pytest.raises(UserError, match=message):
        imported("gated_conv", release.path)


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


@pytest.mark.slow
def test_a_checkpoint_as_tensorflow_writes_it(tmp_path):
    """In processes of their own: TensorFlow warns of itself, and here warnings are errors."""

    def run(*command):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=environment)

    def take(out):
        words = ("import", "gated_conv", tmp_path / "snap-0.index", f"--out={tmp_path / out}")
        return run("-m", "scan_jax", "weights", *words)

    if run("-c", "import tensorflow").returncode:
        pytest.skip("needs TensorFlow: pip install tensorflow-cpu")
    np.savez(tmp_path / "arrays.npz", **published(parameters()))
    written = run("-c", WRITE, tmp_path / "arrays.npz", tmp_path / "snap-0")
    assert written.returncode == 0, written.stderr
    done = take("out")
    assert done.returncode == 0, done.stderr
    jax.tree.map(np.testing.assert_array_equal, arrays(tmp_path / "out")["params"], parameters())
    data, index = tmp_path / "snap-0.data-00000-of-00001", tmp_path / "snap-0.index"
    for damage in (
        lambda: data.write_bytes(data.read_bytes()[: data.stat().st_size // 2]),
        lambda: index.write_bytes(b"nothing of the kind"),
    ):
        damage()
        cut = take("other")
        assert cut.returncode == 1
        assert "is damaged or no TensorFlow checkpoint" in cut.stderr.strip().splitlines()[-1]
