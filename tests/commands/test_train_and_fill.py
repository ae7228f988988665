"""The commands as a user runs them: train, stop, go on, fill a hole; and what bad input is answered with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TINY = [
    "--config=configs/demo.py",
    "--config.data.size=32",
    "--config.data.count=16",
    "--config.data.held_out=4",
    "--config.method.width=4",
    "--config.method.critic_width=4",
    "--config.method.regions=2",
    "--config.method.blocks=1",
    "--config.training.batch_size=2",
    "--config.training.steps=4",
    "--config.training.log_every=1",
    "--config.training.checkpoint_every=2",
    "--config.training.pictures_every=4",
    "--config.evaluation.edges=(0.1,0.3,0.6)",
    "--config.evaluation.holes_per_bucket=2",
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """One CPU device, and a compilation cache that the module's commands share."""
    caches = tmp_path_factory.mktemp("caches")
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(caches)}


def command(environment, module, *arguments, code=0):
    result = subprocess.run(
        [sys.executable, "-m", f"scan_jax.{module}", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return result


@pytest.fixture(scope="module")
def run(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    result = command(environment, "main", *TINY, f"--workdir={folder}")
    return folder, result.stderr


def checkpoint_steps(folder):
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


def test_a_run_leaves_all_that_it_promises(run):
    folder, log = run
    for expected in ("platform cpu, 1 x", "train on 16 photo", "measure on 4", "generator: ", "critic: ", "images/s"):
        assert expected in log
    assert checkpoint_steps(folder) == [2, 4]
    for name in ("config.json", "losses.png", "psnr.png", "pictures/0000004.png"):
        assert (folder / name).stat().st_size > 0
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "term/l1" in line] == [1, 2, 3, 4]
    table = next(folder.glob("step_*4.md")).read_text()
    assert re.search(r"30-60%", table)
    assert "Navier-Stokes" in table


def test_the_table_holds_what_the_scalars_say(run):
    folder, _ = run
    report = json.loads(next(folder.glob("step_*4.json")).read_text())
    scalars = {}
    for line in (folder / "scalars.jsonl").read_text().splitlines():
        scalars |= json.loads(line)
    assert f"{scalars['eval/psnr/10-30%']:.2f}" in next(folder.glob("step_*4.md")).read_text()
    assert "10-30%" in json.dumps(report)


def test_a_killed_run_goes_on_to_the_same_numbers(run, environment, tmp_path):
    """SIGTERM in the middle, then the same command: every scalar of every step equals the run that never stopped."""
    arguments = [sys.executable, "-m", "scan_jax.main", *TINY, f"--workdir={tmp_path}"]
    process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (tmp_path / "scalars.jsonl").exists() or not (tmp_path / "scalars.jsonl").read_text():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=200) == 0
    again = command(environment, "main", *TINY, f"--workdir={tmp_path}")
    assert "going on from step" in again.stderr or "steps are done" in again.stderr

    def losses(folder):
        lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
        kept = ("step", "term", "loss", "grad")
        return [{k: v for k, v in line.items() if k[:4] in kept} for line in lines if "term/l1" in line]

    assert losses(tmp_path) == losses(run[0])


def test_a_finished_run_is_only_measured_again(run, environment):
    folder, _ = run
    before = checkpoint_steps(folder)
    result = command(environment, "main", *TINY, f"--workdir={folder}")
    assert "all 4 steps are done" in result.stderr
    assert checkpoint_steps(folder) == before


def test_another_config_is_refused_with_the_difference(run, environment):
    folder, _ = run
    result = command(environment, "main", *TINY, f"--workdir={folder}", "--config.method.width=5", code=1)
    assert "error: " in result.stderr
    assert "method.width: 4 -> 5" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_photograph_is_filled_and_its_known_pixels_kept(run, environment, tmp_path):
    folder, _ = run
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (45, 61, 3), np.uint8)
    hole = np.zeros((45, 61), bool)
    hole[10:30, 20:50] = True
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    Image.fromarray(np.where(hole, 255, 0).astype(np.uint8)).save(tmp_path / "hole.png")
    out = tmp_path / "filled.png"
    command(environment, "inpaint", f"--run={folder}", tmp_path / "photo.png", tmp_path / "hole.png", f"--out={out}")
    filled = np.asarray(Image.open(out))
    assert filled.shape == photograph.shape
    np.testing.assert_array_equal(filled[~hole], photograph[~hole])
    assert not np.array_equal(filled[hole], photograph[hole])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--config.training.stps=3"], "unknown config key config.training.stps, did you mean 'steps'?"),
        (["--config.data.name=photo_folder", "--config.data.path=/nowhere"], "/nowhere"),
        (["--config.holes.name=mask_folder", "--config.holes.path=/nowhere"], "/nowhere"),
        (["--config.method.loss.style=250.0"], "python -m scan_jax.weights import vgg19"),
        (["--config.training.batch_size='many'"], "config.training.batch_size must be int"),
        (["--config.training.optimizers.generator.learning_rate=1e38"], "not finite at step"),
    ],
)
def test_bad_input_is_one_line(environment, tmp_path, overrides, message):
    arguments = [argument for argument in TINY if argument.split("=")[0] != overrides[0].split("=")[0]]
    environment = {**environment, "SCAN_JAX_WEIGHTS": str(tmp_path)}
    result = command(environment, "main", *arguments, f"--workdir={tmp_path / 'run'}", *overrides, code=1)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in result.stderr
