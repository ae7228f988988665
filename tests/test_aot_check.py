"""`--dry_run` and `launch.aot_check` as a user runs them: what they print and refuse, and that they write nothing."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from toy_method import ToyMethod

from launch import aot_check
from scan_jax.commands import cli, dry_run, train

DEVICES = 4
ROOT = Path(__file__).parents[1]
SMALL = [f"--config.method.{key}={value}" for key, value in (("regions", 2), ("blocks", 1), ("stages", 1))]
SMALL += ["--config.data.size=32", "--config.method.width=4", "--config.method.critic_width=4"]
SQUEEZENET = "--config.method.features.name=squeezenet"  # compiles sooner than VGG-19


def refusal(capsys, *arguments):
    """What launch.aot_check prints and the line in which it refuses, in this process."""
    level = jax.config.jax_optimization_level
    try:
        assert cli.run(lambda: aot_check.check(*aot_check.parse(list(arguments)))) == 1
    finally:
        jax.config.update("jax_optimization_level", level)
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
    return said


@pytest.fixture
def command(tmp_path):
    """Runs a module in an empty folder that is home, cache, data and weights at once; nothing may appear there."""
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TFDS_DATA_DIR", "SCAN_JAX_WEIGHTS")}
    given = {name: value for name, value in os.environ.items() if name not in ("JAX_COMPILATION_CACHE_DIR", "NPROC")}
    quick = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(module, config, *arguments):
        line = [sys.executable, "-m", module, f"--config={config}", *arguments]
        environment = {**given, **places, **quick, "PYTHONPATH": paths}
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        assert list(tmp_path.rglob("*")) == []
        return done.stdout

    return run


def mebibytes(text):
    rows = re.findall(r"^  (\D+?) +([\d,.]+)$", text, re.MULTILINE)
    return {name.strip(): float(size.replace(",", "")) for name, size in rows}


def test_a_dry_run_refuses_what_cannot_fit(capsys, monkeypatch):
    toy = ToyMethod()
    toy.frozen_shapes = lambda: {"features": jax.ShapeDtypeStruct((1024, 512), np.float32)}
    monkeypatch.setattr(dry_run, "build_method", lambda section: toy)
    assert train.main(["--config=demo", "--dry_run", "--config.training.batch_size=4000000"]) == 1
    said = capsys.readouterr()
    assert mebibytes(said.out)["frozen weights"] == 2
    assert re.match(r"error: a step needs [\d.]+ GiB of each device, but cpu has [\d.]+ GiB", said.err)
    knobs = ("training.batch_size", "training.accumulate", "training.remat", "training.fsdp", "method.compute_dtype")
    assert all(knob in said.err for knob in knobs) and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config.training.batch_size=6"], "batch_size = 6 does not divide among 4 devices.*--batch_per_chip=1"),
        (["--fsdp=3"], "training.fsdp = 3 does not divide the 4 devices"),
        (["--chip=h20"], "did you mean 'h200'"),
    ],
)
def test_what_is_refused_before_anything_is_compiled(arguments, says, capsys):
    assert re.search(says, refusal(capsys, "--config=demo", "--cpu_devices=4", *arguments).err)


def test_a_topology_without_its_compiler(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install libtpu" in refusal(capsys, "--config=demo", "--topology=v5e:2x4").err


@pytest.mark.slow
def test_a_dry_run_needs_neither_data_nor_weights(command):
    found = mebibytes(command("scan_jax.main", "celeba", "--dry_run", *SMALL, SQUEEZENET))
    assert 1 < found["frozen weights"] < 5  # 0.72 M parameters in float32, which stay as they are
    assert found["optimiser"] == pytest.approx(2 * found["parameters"], abs=0.11)
    assert found["total"] > found["frozen weights"] + found["temporary"]


@pytest.mark.slow
def test_virtual_devices(command):
    flags = ("--cpu_devices=4", "--batch_per_chip=2", "--fsdp=2", "--chip=h100")
    text = command("launch.aot_check", "demo", *SMALL, *flags)
    assert "mesh: data 2 x fsdp 2 = 4 devices, batch 8 (2 on each)" in text
    assert re.search(r"all-gather +\d+ over +\d devices", text)
    assert "roofline on h100: 1,980 TFLOP/s in all" in text
    assert re.search(r"scaling efficiency +[\d.]+% to [\d.]+%", text)


needs_tpu_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="needs the TPU compiler: pip install libtpu"
)


@pytest.mark.slow
@needs_tpu_compiler
def test_a_tpu_slice(command):
    text = command("launch.aot_check", "demo", *SMALL, "--topology=v5e:2x2", "--batch_per_chip=1")
    assert "mesh: data 4 x fsdp 1 = 4 devices, batch 4 (1 on each)" in text
    assert re.search(r"all-reduce +\d+ over +4 devices", text)
    assert "roofline on v5e: 788 TFLOP/s in all" in text
    assert mebibytes(text)["temporary"] > 0


@pytest.mark.slow
@needs_tpu_compiler
@pytest.mark.parametrize(("config", "quicker"), [("celeba", ("blocks=1", "stages=1")), ("portraits64", ())])
def test_either_paper_s_method_compiles_for_a_pod_slice(command, config, quicker):
    smaller = [SQUEEZENET, *(f"--config.method.{setting}" for setting in quicker)]
    text = command("launch.aot_check", config, *smaller, "--topology=v5e:16x16", "--batch_per_chip=1")
    assert "mesh: data 256 x fsdp 1 = 256 devices, batch 256 (1 on each)" in text
    assert re.search(r"all-reduce +\d+ over +256 devices", text)
    assert mebibytes(text)["total"] < 16 * 1024  # what a v5e has


@pytest.mark.slow
@needs_tpu_compiler
def test_a_topology_of_another_name(capsys):
    assert "no TPU topology 'v9:2x4'" in refusal(capsys, "--config=demo", "--topology=v9:2x4").err
