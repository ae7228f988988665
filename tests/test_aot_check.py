"""`--dry_run` and `launch.aot_check` as a user runs them: what they print and refuse, and that they write nothing."""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding
from toy_method import ToyMethod

from launch import aot_check
from scan_jax.commands import cli, dry_run, train
from scan_jax.training.cost import accelerators, estimate

DEVICES = 4
ROOT = Path(__file__).parents[1]
SMALL = [f"--config.method.{key}={value}" for key, value in (("regions", 2), ("blocks", 1), ("stages", 1))]
SMALL += ["--config.data.size=32", "--config.method.width=4", "--config.method.critic_width=4"]
SQUEEZENET = "--config.method.features.name=squeezenet"  # compiles sooner than VGG-19


def check(*arguments):
    """What launch.aot_check exits with, in this process."""
    settings = {name: getattr(jax.config, name) for name in ("jax_optimization_level", "jax_enable_compilation_cache")}
    try:
        return cli.run(lambda: aot_check.check(*aot_check.parse(list(arguments))))
    finally:
        for name, value in settings.items():
            jax.config.update(name, value)


def refusal(capsys, *arguments):
    """What launch.aot_check prints and the line in which it refuses, in this process."""
    assert check(*arguments) == 1
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
    assert 'pip install "jax[tpu]"' in refusal(capsys, "--config=demo", "--topology=v5e:2x4").err


@pytest.mark.parametrize(("topology", "says"), [("", "--topology names no slice"), ("v9:2x4", "no TPU slice 'v9:2x4'")])
def test_a_slice_that_is_none(topology, says, capsys):
    assert says in refusal(capsys, "--config=demo", f"--topology={topology}").err


def test_a_compiler_of_another_version_is_named(monkeypatch):
    asked = ["numpy>=2", 'libtpu==0.0.42.*; extra == "tpu"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda package: asked)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "0.0.42.1")
    assert aot_check.compiler() == "libtpu 0.0.42.1"
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "0.0.52")
    assert aot_check.compiler().startswith("libtpu 0.0.52 (this JAX was made with ==0.0.42.*")

    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert aot_check.compiler() == "libtpu of unknown version"


CPU_FOR_H100 = ("--config=demo", "--cpu_devices=4", "--chip=h100", "--batch_per_chip=1")


@pytest.fixture
def toy(monkeypatch):
    method = ToyMethod()
    monkeypatch.setattr(dry_run, "build_method", lambda section: method)
    return method


def test_a_gpu_is_checked_against_what_jax_takes_of_it(toy, capsys):
    assert check(*CPU_FOR_H100) == 0
    said = capsys.readouterr().out
    assert "roofline on h100" in said
    assert "O0: what is trained with is another program" in said
    toy.frozen_shapes = lambda: {"features": jax.ShapeDtypeStruct((70, 2**28), np.float32)}  # 70 GiB of the 79.65
    said = refusal(capsys, *CPU_FOR_H100).err
    assert re.search(r"needs 70\.\d\d GiB .* h100, of which JAX takes 75% by default, has 59\.74 GiB", said)


@pytest.mark.usefixtures("toy")
def test_a_cpu_s_bfloat16_says_nothing_of_a_chip(capsys):
    assert check(*CPU_FOR_H100, "--config.method.compute_dtype=bfloat16") == 0
    said = capsys.readouterr().out
    assert (
        "no roofline of h100: CPUs compute bfloat16 in float32" in said and "--topology=v5p:2x2x2 --chip=h100" in said
    )
    assert "images/s" not in said


@pytest.mark.usefixtures("toy")
def test_a_program_that_cannot_be_printed_costs_the_collectives_alone(capsys, monkeypatch):
    monkeypatch.setattr(estimate, "_text", lambda compiled: "")
    assert check(*CPU_FOR_H100) == 0
    said = capsys.readouterr().out
    assert 'unknown: this JAX cannot print what this compiler made; pip install "jax[tpu]"' in said
    assert re.search(r"^  memory +[\d.]+ ms$", said, re.MULTILINE) and mebibytes(said)["total"] > 0
    assert "images/s" not in said and "nan" not in said


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
    importlib.util.find_spec("libtpu") is None, reason='needs the TPU compiler: pip install "jax[tpu]"'
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


@pytest.fixture
def slice_of(monkeypatch):
    for name, value in aot_check.TPU_ENVIRONMENT.items():
        monkeypatch.setenv(name, os.environ.get(name, value))
    return aot_check.topology


@pytest.mark.slow
@needs_tpu_compiler
@pytest.mark.parametrize(
    ("name", "kind", "devices"),
    [
        ("V4:2x2x1", "TPU v4", 4),
        ("v5p:4x4x4", "TPU v5", 64),
        ("tpu7x:2x2x1", "TPU7x", 8),
        ("v3:2x2", "TPU v3", 8),
        *((f"{chip}:1x1", f"TPU {chip[:2]} lite", 1) for chip in ("v5e", "v6e")),
        *((f"{chip}:1x1x1", kind, 1) for chip, kind in (("v4", "TPU v4"), ("v5p", "TPU v5"))),
        ("tpu7x:1x1x1", "TPU7x", 2),
    ],
)
def test_devices_of_a_slice(slice_of, name, kind, devices):
    found = slice_of(name)
    assert {device.device_kind for device in found} == {kind}
    assert len(found) == devices


@pytest.mark.slow
@needs_tpu_compiler
@pytest.mark.parametrize("name", ["v4:1x1x1", "v5e:1x1", "v5p:1x1x1", "v6e:1x1", "tpu7x:1x1x1"])
def test_usable_memory_is_the_compiler_s(slice_of, name):
    device = slice_of(name)[0]
    array = jax.ShapeDtypeStruct((2**30, 30), jnp.float32, sharding=SingleDeviceSharding(device))  # 120 GiB
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED") as refused:
        jax.jit(lambda x: x + 1).lower(array).compile()
    usable = float(re.search(r"exceeds available HBM \(([\d.]+)G\)", str(refused.value))[1])
    assert accelerators.of_kind(device.device_kind).memory / 2**30 == pytest.approx(usable, abs=0.02)


@pytest.mark.slow
@needs_tpu_compiler
def test_no_example_leaves_its_half_of_a_chip(command):
    text = command("launch.aot_check", "demo", *SMALL, "--topology=tpu7x:2x2x1", "--batch_per_chip=1")
    assert "mesh: data 8 x fsdp 1 = 8 devices" in text and "roofline on tpu7x: 9,228 TFLOP/s in all" in text
    assert set(re.findall(r"^  (\S+) +\d+ over", text, re.MULTILINE)) == {"all-reduce"}


@pytest.mark.slow
@needs_tpu_compiler
def test_the_compiler_s_own_estimate_at_its_default_level(command):
    small = ("--config.data.size=32", "--config.method.depth=3")
    flags = ("--topology=v5e:1x1", "--batch_per_chip=1", "--optimization_level=UNKNOWN")
    text = command("launch.aot_check", "compare/partial_conv64", SQUEEZENET, *small, *flags)
    assert re.search(r"compiler's estimate +[\d.]+ ms without collectives \([\d,]{6,} cycles at 1\.5 GHz", text)
