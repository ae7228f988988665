"""What several of these tests start from."""

import json
import logging

import pytest

from scan_jax.commands import attend, inpaint
from scan_jax.images.photograph import read_photograph, write_photograph
from scan_jax.inference import trained
from scan_jax.inference import trained as run_folder


@pytest.fixture
def through(tmp_path):
    """Reads a photograph, writes it as `name`, and returns what was read and where it was written."""

    def write(source, name, *hole, pixels=None):
        photograph = read_photograph(source)
        filled = photograph.pixels if pixels is None else pixels
        write_photograph(tmp_path / name, filled, photograph, *hole)
        return photograph, tmp_path / name

    return write


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes a run folder whose method and checkpoint at step 12 are stand-ins, for the commands that fill and look."""
    levels = {name: logging.getLogger(name).level for name in ("scan_jax", "absl", "asyncio", "jax")}

    def make(method, variables, size):
        config = {"method": {"name": "stand_in"}, "data": {"size": size}}
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.json").write_text(json.dumps(config))
        monkeypatch.setattr(trained.api, "build_method", lambda section: method)
        monkeypatch.setattr(run_folder, "restore", lambda run, which: (12, variables))
        for command in (inpaint, attend):
            monkeypatch.setattr(command, "keep_compilations", lambda: None)
        return tmp_path / "run"

    yield make
    for name, level in levels.items():  # which the commands set for their whole process
        logging.getLogger(name).setLevel(level)
