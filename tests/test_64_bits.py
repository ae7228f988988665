"""Where JAX makes arrays of 64 bits, whatever would draw, train or fill otherwise is refused in one line."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from small_networks import MASKED_ATTENTION, PLAIN, small_trained
from tiny_demo import BUCKETS, DATA, DEMO, TINY, error_of
from toy_method import ToyMethod

from scan_jax.commands import attend, evaluate, export, inpaint, show_batch, train
from scan_jax.core.errors import UserError
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.inference.bundles import exporting
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods.api import build_method
from scan_jax.training.trainer import Trainer

REFUSAL = r"64-bit mode is on, .*: unset JAX_ENABLE_X64, or in Python jax\.config\.update\('jax_enable_x64', False\)$"


@pytest.fixture
def in_64_bits():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "small"
    exporting.export(small_trained(PLAIN), folder, platforms=())
    return folder


def test_what_python_makes(bundle, in_64_bits):
    settings = TrainingSettings(1, 8, {"generator": OptimizerSettings(), "critic": OptimizerSettings()})
    for make in (
        lambda: build_method(PLAIN),
        lambda: Trainer(ToyMethod(), settings, 16, 0),
        lambda: Inpainter.load(bundle),
    ):
        with pytest.raises(UserError, match=REFUSAL):
            make()


@pytest.fixture(scope="module")
def inpainters():
    """Loaded before somebody switches the mode on."""
    trained = {name: small_trained(section) for name, section in (("scan", PLAIN), ("styles", MASKED_ATTENTION))}
    loaded = {name: Inpainter(one.method, one.variables, size=32) for name, one in trained.items()}
    return {**loaded, "harmonic": Inpainter.load("harmonic")}


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("scan", lambda inpainter, *given: inpainter(*given)),
        ("scan", lambda inpainter, *given: list(inpainter.batch(*([one] for one in given)))),
        ("harmonic", lambda inpainter, *given: inpainter(*given, texture=True)),
        ("styles", lambda inpainter, image, hole: inpainter.styles(image, np.zeros(hole.shape, int))),
    ],
)
def test_an_inpainter_that_is_there_already(inpainters, in_64_bits, name, act):
    hole = np.zeros((32, 32), bool)
    hole[8:16, 8:20] = True
    with pytest.raises(UserError, match=REFUSAL):
        act(inpainters[name], np.zeros((32, 32, 3), np.uint8), hole)


def test_every_command_that_computes(bundle, in_64_bits, tmp_path):
    out, run, pair = f"--out={tmp_path / 'out'}", f"--run={bundle}", ["docs/photo.jpg", "docs/hole.png"]
    for command, words in (
        (train, [DEMO, f"--workdir={tmp_path / 'run'}", *TINY]),
        (train, [DEMO, "--dry_run", *TINY]),
        (show_batch, [DEMO, f"{out}.png", *TINY]),
        (export, [run, out]),
        (evaluate, [run, out]),
        (evaluate, ["--protocol=configs/demo.py", "--baselines", "harmonic", out, *DATA, *BUCKETS]),
        (inpaint, [run, *pair, f"{out}.png"]),
        (inpaint, ["--run=harmonic", *pair, f"{out}.png"]),
        (attend, [run, *pair, f"{out}.png"]),
    ):
        assert "JAX's 64-bit mode is on" in error_of(command.main, *words), command.__name__
    assert not any(tmp_path.iterdir()), "nothing was made"


def test_the_variable_in_the_shell(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "scan_jax.main", DEMO, f"--workdir={run}", *TINY]
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stderr.startswith("error: JAX's 64-bit mode is on") and not run.exists()
    assert len(done.stderr.splitlines()) == 1
