"""A folder that one process works in at a time."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_demo import DEMO, TINY, overrides, said

from scan_jax.commands import evaluate, prepare, train
from scan_jax.core.errors import UserError
from scan_jax.core.folder_lock import HOLDER, held, remove_abandoned

ROOT = Path(__file__).parents[1]
HOLD = """
import sys, time, pathlib
from scan_jax.core.folder_lock import held
with held(pathlib.Path(sys.argv[1]), "go away"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def another(tmp_path):
    """A process that holds `tmp_path / "held"`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "held"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_one_at_a_time_and_a_killed_process_holds_nobody_back(another, tmp_path):
    folder = tmp_path / "held"
    expected = rf"held is in use by process {another.pid} on \S+ since 20..-..-.. ..:..:..; wait for it, or do so$"
    for _ in range(2):
        with pytest.raises(UserError, match=expected), held(folder, "do so"):
            raise AssertionError
    another.send_signal(signal.SIGKILL)
    another.wait()
    with held(folder, "do so"):
        assert json.loads((folder / HOLDER).read_text())["process"] == os.getpid()
        with pytest.raises(UserError, match=f"process {os.getpid()} "), held(folder, "do so"):
            raise AssertionError
    assert not (folder / HOLDER).exists()
    with held(folder, "do so"), held(tmp_path / "other", "do so"):
        pass


def test_what_a_killed_process_held_is_removed_and_nothing_else(another, tmp_path):
    folder, stranger = tmp_path / "held", tmp_path / "stranger"
    stranger.mkdir()
    (folder / "large").touch()
    remove_abandoned(tmp_path.iterdir())
    assert (folder / "large").exists()
    another.kill()
    another.wait()
    (tmp_path / "link").symlink_to(folder)
    remove_abandoned([tmp_path / "link"])
    assert folder.exists()
    remove_abandoned(tmp_path.iterdir())
    assert not folder.exists() and stranger.exists()


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    refused = pytest.raises(UserError, match=r"cannot write to .*file/run: Not a directory; do so$")
    with refused, held(tmp_path / "file/run", "do so"):
        raise AssertionError


def test_training_evaluation_and_preparation_leave_a_held_folder_alone(another, tmp_path):
    folder = tmp_path / "held"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    who = f"is in use by process {another.pid} on .* since .*; wait for it, or "
    workdir = f"--workdir={folder}"
    assert re.search(f"{who}choose another --workdir", said(train.main, DEMO, workdir, *TINY, code=1))
    protocol = ["--protocol=configs/demo.py", *overrides("data.size=32 data.count=16 data.held_out=4")]
    words = [*protocol, "--baselines=mean", "--metrics=standard/psnr", f"--out={folder}"]
    assert re.search(f"{who}name another folder with --out", said(evaluate.main, *words, code=1))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_two_that_build_one_dataset(monkeypatch, tmp_path):
    from scan_jax.data.preparation import build

    def meanwhile(plan, staging, jobs):
        with held(staging, "choose another --data_dir"):
            raise AssertionError

    monkeypatch.setattr(build, "make_shards", meanwhile)
    words = ["synthetic_portraits", f"--data_dir={tmp_path}", "--size=64", "--count=4", "--held_out=2"]
    text = said(prepare.main, *words, code=1)
    assert re.search(rf"in use by process {os.getpid()} on .*; wait for it, or choose another --data_dir", text)
