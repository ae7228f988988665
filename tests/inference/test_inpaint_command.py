"""`python -m scan_jax.inpaint`, from flags to file."""

import json
import logging
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import scan_jax
from scan_jax import inpaint
from scan_jax.inference import inpainter, run_folder, trained
from scan_jax.methods.api import Variables
from scan_jax.types import Prediction


@pytest.fixture(autouse=True)
def log_levels():
    """The command sets levels for its whole process; the tests' process goes on."""
    loggers = [logging.getLogger(name) for name in ("scan_jax", "absl", "asyncio", "jax")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)


LEVEL = Variables({"generator": {"level": np.float32(0.4)}}, {"generator": {}})


class Grey:
    stride, num_labels = 4, 0
    refiners, maps, styles = {}, {}, None

    def init(self, rng, example):
        return LEVEL

    def predict(self, variables, observation, rng):
        del rng
        return Prediction(jnp.full_like(observation.image, variables.params["generator"]["level"]))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder whose method and checkpoint are stand-ins."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"method": {"name": "grey"}, "data": {"size": 16}}))
    monkeypatch.setattr(trained.api, "build_method", lambda section: Grey())
    monkeypatch.setattr(inpaint, "keep_compilations", lambda: None)
    monkeypatch.setattr(run_folder, "restore", lambda run, which: (12, LEVEL))
    return folder


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    pixels, hole = rng.integers(0, 256, (29, 41, 4), np.uint8), rng.random((29, 41)) < 0.4
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "hole.png")
    return tmp_path, pixels, hole


def command(run, folder, *more, hole="hole.png", out="filled.png"):
    return inpaint.main([f"--run={run}", str(folder / "photo.png"), str(folder / hole), f"--out={folder / out}", *more])


@pytest.mark.parametrize("color", ["white", "black"])
def test_fills_the_hole_and_keeps_everything_else(run, files, color, caplog):
    folder, pixels, hole = files
    hole = hole if color == "white" else ~hole
    assert command(run, folder, f"--hole_color={color}") == 0
    with Image.open(folder / "filled.png") as image:
        filled = np.asarray(image)
    assert filled.shape == pixels.shape
    np.testing.assert_array_equal(filled[~hole], pixels[~hole])
    np.testing.assert_array_equal(filled[..., 3], pixels[..., 3])
    inner = hole.copy()
    inner[1:-1, 1:-1] &= hole[:-2, 1:-1] & hole[2:, 1:-1] & hole[1:-1, :-2] & hole[1:-1, 2:]
    assert inner.any() and np.any(filled[inner][:, :3] != pixels[inner][:, :3])
    assert "step 12" in caplog.text and "parameters " in caplog.text


def errors(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


def test_errors_are_one_line_and_write_nothing(run, files, tmp_path, capsys):
    folder, _, hole = files
    Image.fromarray(hole[:-1]).save(folder / "small.png")
    assert command(run, folder, hole="small.png") == 1
    assert "41x29" in (line := errors(capsys)) and "41x28" in line
    assert command(run, folder, hole="none.png") == 1
    assert "none.png" in errors(capsys)
    assert command(tmp_path / "nowhere", folder) == 1
    assert "no run folder" in errors(capsys)
    assert command(run, folder, out="filled.gif") == 1
    assert "must end in" in errors(capsys)
    assert not list(folder.glob("filled*"))


class Painted(Grey):
    """Predicts a tenth of the label."""

    num_labels = 6

    def predict(self, variables, observation, rng):
        labels = observation.labels[..., None].astype(jnp.float32) / 10  # [B,H,W,1]
        return Prediction(jnp.broadcast_to(labels, observation.image.shape))


def test_labels_from_a_file_colour_the_hole(run, files, monkeypatch):
    monkeypatch.setattr(trained.api, "build_method", lambda section: Painted())
    folder, pixels, _ = files
    hole = np.zeros((29, 41), bool)
    hole[4:-4, 4:-4] = True
    Image.fromarray(hole).save(folder / "hole.png")
    Image.fromarray(np.full((29, 41), 5, np.uint8)).save(folder / "labels.png")
    Image.fromarray(np.full((58, 82), 5, np.uint8)).save(folder / "twice.png")
    for labels in ([f"--labels={folder / 'labels.png'}"], [f"--labels={folder / 'twice.png'}", "--resize_labels"]):
        assert command(run, folder, *labels) == 0
        filled = np.asarray(Image.open(folder / "filled.png"))
        np.testing.assert_array_equal(filled[~hole], pixels[~hole])
        assert np.all(np.abs(filled[12:-12, 12:-12, :3] - 127.5) < 1)  # far from the known pixels, which are blended in
        (folder / "filled.png").unlink()


def test_bad_label_maps_are_one_line(run, files, monkeypatch, capsys):
    monkeypatch.setattr(trained.api, "build_method", lambda section: Painted())
    folder, pixels, _ = files
    labels = np.full((29, 41), 5, np.uint8)
    for name, array in (("small", labels[:20]), ("seven", labels + 2), ("colour", pixels[..., :3]), ("tall", labels.T)):
        Image.fromarray(array).save(folder / f"{name}.png")
    expected = {
        (): "needs a label map of 6 classes; give --labels=",
        ("small",): "the photograph is 41x29 pixels, the label map 41x20",
        ("tall", "--resize_labels"): "tall.png is 29x41, its photograph 41x29: their proportions differ",
        ("seven",): "seven.png has the label 7, but 6 classes",
        ("colour",): "colour.png is a colour image (RGB), but a pixel's value must be its class",
        ("absent",): "absent.png: there is no such file",
    }
    for (name, *more), message in [((None,), expected.pop(())), *expected.items()]:
        flags = [] if name is None else [f"--labels={folder / name}.png"]
        assert command(run, folder, *flags, *more) == 1
        assert message in errors(capsys)
    assert not list(folder.glob("filled*"))


def test_a_run_without_a_checkpoint_is_refused(run, files, capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(trained.api, "build_method", lambda section: Grey())
    assert command(run, files[0]) == 1
    assert "no checkpoint yet" in errors(capsys)
    (run / "config.json").write_text('{"method": {"name": "grey"}}')
    assert command(run, files[0]) == 1
    assert "data.size" in errors(capsys)


def test_the_package_offers_the_inpainter_when_asked(run):
    assert scan_jax.Inpainter is inpainter.Inpainter and scan_jax.Inpainter.load(run).step == 12
    with pytest.raises(AttributeError, match="no attribute 'Outpainter'"):
        _ = scan_jax.Outpainter


HEAVY = ("tensorflow", "jax", "orbax", "flax", "cv2", "PIL", "numpy", "grain", "clu")


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout


def test_help_imports_nothing_heavy():
    out = run_python(
        "import sys, scan_jax.inpaint as command\n"
        "try:\n    command.main(['--help'])\n"
        f"except SystemExit as end:\n    print(end.code, [name for name in {HEAVY} if name in sys.modules])"
    )
    assert "--hole_color" in out and out.strip().endswith("0 []")


def test_filling_needs_neither_tensorflow_nor_the_training_stack():
    unwanted = ("tensorflow", "orbax", "grain", "clu", "tensorflow_datasets", "optax", "scan_jax.training")
    out = run_python(
        f"import sys, scan_jax\nscan_jax.Inpainter\nprint([name for name in {unwanted} if name in sys.modules])"
    )
    assert out.strip() == "[]"
