"""Runs the launchers of launch/ as a user would, and looks at what they print."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAUNCH = ROOT / "launch"
RUN = ("--config=configs/celeba.py", "--workdir=/runs/my run/it's", "--config.method.attention=('spatial',)")


def launch(script, *arguments, path=None, **environment):
    """The finished process of a launcher that inherits nothing but PATH."""
    given = {"PATH": path or os.environ["PATH"], "HOME": "/nonexistent", **environment}
    command = ["bash", str(LAUNCH / script), *arguments]
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=60)


def printed(script, *arguments, **environment):
    """The commands of a dry run, as words."""
    done = launch(script, *arguments, "--dry_run", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return [shlex.split(line, comments=True) for line in done.stdout.splitlines()]


def refused(words, script, *arguments, **environment):
    """One line on stderr with the words, nothing on stdout, and exit code 1."""
    done = launch(script, *arguments, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert words in done.stderr


def check_script(text):
    """That shellcheck has nothing to say about it."""
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck: apt-get install shellcheck")
    command = ["shellcheck", "--shell=bash", "--severity=style", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def program(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/usr/bin/env bash\n" + text)
    (folder / name).chmod(0o755)


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
