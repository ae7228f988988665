"""`--dry_run` and `launch.aot_check` as a user runs them: what they print and refuse, and that they write nothing."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = [
    "--config.data.size=32",
    "--config.method.width=4",
    "--config.method.critic_width=4",
    "--config.method.regions=2",
    "--config.method.blocks=1",
    "--config.method.stages=1",
]
SQUEEZENET = "--config.method.features.name=squeezenet"  # compiles sooner than VGG-19


@pytest.fixture
def command(tmp_path):
    """Runs a module in an empty folder that is home, cache, data and weights at once; nothing may appear there."""
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TFDS_DATA_DIR", "SCAN_JAX_WEIGHTS")}
    given = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    quick = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(module, config, *arguments, code=0):
        line = [sys.executable, "-m", module, f"--config={ROOT / 'configs' / config}", *arguments]
        environment = {**given, **places, **quick, "PYTHONPATH": paths}
        result = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert result.returncode == code, result.stderr
        assert list(tmp_path.rglob("*")) == []
        return result

    return run


def mebibytes(text):
    return {
        name.strip(): float(size.replace(",", "")) for name, size in re.findall(r"^  (\D+?) +([\d,.]+)$", text, re.M)
    }


def test_a_dry_run_needs_neither_data_nor_weights(command):
    found = mebibytes(command("scan_jax.main", "celeba.py", "--dry_run", *SMALL, SQUEEZENET).stdout)
    assert 1 < found["frozen weights"] < 5  # 0.72 M parameters in float32, which stay as they are
    assert found["optimiser"] == pytest.approx(2 * found["parameters"], abs=0.11)
    assert found["total"] > found["frozen weights"] + found["temporary"]


def test_a_dry_run_refuses_what_cannot_fit(command):
    refused = command("scan_jax.main", "demo.py", "--dry_run", *SMALL, "--config.training.batch_size=1000000", code=1)
    assert "total" in refused.stdout
    assert len(refused.stderr.strip().splitlines()) == 1
    assert re.match(r"error: a step needs [\d.]+ GiB of each device, but cpu has [\d.]+ GiB", refused.stderr)
    knobs = ("batch_size", "accumulate", "remat", "fsdp")
    for knob in (*(f"training.{name}" for name in knobs), "method.compute_dtype"):
        assert knob in refused.stderr


def test_virtual_devices(command):
    arguments = (*SMALL, "--cpu_devices=4", "--batch_per_chip=2", "--fsdp=2", "--chip=h100")
    text = command("launch.aot_check", "demo.py", *arguments).stdout
    assert "mesh: data 2 x fsdp 2 = 4 devices, batch 8 (2 on each)" in text
    assert re.search(r"all-gather +\d+ over +\d devices", text)
    assert "roofline on h100: 1,980 TFLOP/s in all" in text
    assert re.search(r"scaling efficiency +[\d.]+% to [\d.]+%", text)


needs_tpu_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="needs the TPU compiler: pip install libtpu"
)


@needs_tpu_compiler
def test_a_tpu_slice(command):
    text = command("launch.aot_check", "demo.py", *SMALL, "--topology=v5e:2x2", "--batch_per_chip=1").stdout
    assert "mesh: data 4 x fsdp 1 = 4 devices, batch 4 (1 on each)" in text
    assert re.search(r"all-reduce +\d+ over +4 devices", text)
    assert "roofline on v5e: 788 TFLOP/s in all" in text
    assert mebibytes(text)["temporary"] > 0


@needs_tpu_compiler
@pytest.mark.parametrize("config", ["celeba.py", "celebamask.py"])
def test_the_papers_settings_compile_for_a_pod_slice(command, config):
    text = command("launch.aot_check", config, "--topology=v5e:16x16", "--batch_per_chip=1").stdout
    assert "mesh: data 256 x fsdp 1 = 256 devices, batch 256 (1 on each)" in text
    assert re.search(r"all-reduce +\d+ over +256 devices", text)
    assert mebibytes(text)["total"] < 16 * 1024  # what a v5e has


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cpu_devices=3"], "training.batch_size = 16 does not divide among 3 devices.*--batch_per_chip=1"),
        (["--cpu_devices=4", "--fsdp=3"], "training.fsdp = 3 does not divide the 4 devices"),
        (["--cpu_devices=2", "--chip=h20"], "did you mean 'h200'"),
    ],
)
def test_what_is_refused_before_anything_is_compiled(command, arguments, says):
    refused = command("launch.aot_check", "demo.py", *arguments, code=1)
    assert re.search(says, refused.stderr)
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_topology_without_its_compiler_or_of_another_name(command):
    installed = importlib.util.find_spec("libtpu") is not None
    refused = command("launch.aot_check", "demo.py", "--topology=v9:2x4", code=1)
    assert ("no TPU topology 'v9:2x4'" if installed else "pip install libtpu") in refused.stderr
