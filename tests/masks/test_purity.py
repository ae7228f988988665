"""The same holes in every process, and sources that travel to worker processes."""

import contextlib
import io
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scan_jax.masks.api import open_holes
from scan_jax.masks.ratio import BUCKETS

GENERATORS = ("free_form", "strokes", "rectangles", "border", "half", "mixture", "lama_thick", "lama_training")

PROGRAM = f"""
import numpy as np
from scan_jax.masks.api import open_holes
from scan_jax.masks.api import fixed_set
for name in {GENERATORS}:
    splits = open_holes({{"name": name}})
    drawn = splits.train.draw(np.random.default_rng(5), 32)
    print(name, fixed_set(splits.held_out, 32, per_bucket=3, seed=9).digest, np.packbits(drawn).tobytes().hex())
"""


def test_another_process_draws_the_same_holes():
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(PROGRAM, {})
    assert done.stdout == here.getvalue()
    assert len(done.stdout.splitlines()) == len(GENERATORS)


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        grey = np.zeros((20, 20), np.uint8)
        grey[: 4 + i] = 255
        Image.fromarray(grey).save(tmp_path / f"{i}.png")
    return tmp_path


def sections(folder):
    parts = {"weights": {"mask_folder": 0.5, "half": 0.5}, "parts": {"mask_folder": {"path": str(folder)}}}
    others = {"mask_folder": {"name": "mask_folder", "path": str(folder)}, "both": {"name": "mixture", **parts}}
    return {name: {"name": name} for name in GENERATORS} | others


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("name", sections(""))
def test_sources_travel_to_other_processes(name, used, folder):
    for source in open_holes(sections(folder)[name]):
        if used:
            source.draw(np.random.default_rng(0), 16)
        travelled = pickle.loads(pickle.dumps(source))
        assert travelled.description == source.description
        assert travelled.limits == source.limits
        for seed in range(3):
            np.testing.assert_array_equal(*(s.draw(np.random.default_rng(seed), 16) for s in (source, travelled)))
        np.testing.assert_array_equal(*(s.fixed(16, BUCKETS[3], 4, seed=1) for s in (source, travelled)))


def test_what_a_folder_has_read_travels_along(folder):
    source = open_holes({"name": "mask_folder", "path": str(folder)}).train
    drawn = source.draw(np.random.default_rng(0), 16)
    packed = pickle.dumps(source)
    for file in folder.glob("*.png"):
        file.unlink()
    np.testing.assert_array_equal(pickle.loads(packed).draw(np.random.default_rng(0), 16), drawn)


@pytest.mark.parametrize("name", sections(""))
def test_threads_share_a_source(name, folder):
    source = open_holes(sections(folder)[name]).train
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda i: source.draw(np.random.default_rng(i), 32), range(32)))
    for i, hole in enumerate(drawn):
        np.testing.assert_array_equal(hole, source.draw(np.random.default_rng(i), 32))
