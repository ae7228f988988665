"""Checkpoints in a bucket of object storage, here an emulated one: kept, found, deleted and moved like on a disk."""

import json
import logging
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import jax
import numpy as np
import pytest
from toy_runs import assert_same, like, opened, save, state

from scan_jax.core import checkpoint_folder
from scan_jax.core.errors import UserError
from scan_jax.inference import trained
from scan_jax.training.checkpoints import Checkpoints, Keep, read_state
from scan_jax.training.step import TrainState

pytest.importorskip("gcsfs")
pytest.importorskip("gcp_storage_emulator")
pytestmark = pytest.mark.slow
SERVER = Path(__file__).parents[1] / "emulated_bucket.py"


@pytest.fixture(scope="module")
def url():
    """The emulator's address; every client that Orbax uses is sent there."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, SERVER], **pipes, text=True)
    address = f"http://localhost:{int(server.stdout.readline())}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STORAGE_EMULATOR_HOST", "TENSORSTORE_GCS_HTTP_URL"):
            patch.setenv(name, address)
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # asks what the emulator does not answer
        yield address
    server.communicate()
    server.stdout.close()


@pytest.fixture
def place(url, request, tmp_path):
    return checkpoint_folder.place(tmp_path, f"gs://bucket/runs/{request.node.name}")


def objects(url, place):
    """What the bucket itself says it holds there, past every cache."""
    with urllib.request.urlopen(f"{url}/storage/v1/b/bucket/o?prefix=runs/{place.name}/") as answer:
        return [item["name"].removeprefix(f"runs/{place.name}/") for item in json.load(answer).get("items", [])]


def test_a_state_of_many_arrays(url, place):
    many = {f"layer{number}": {"kernel": np.full((30, 30), number, np.float32)} for number in range(100)}
    one = TrainState(*jax.device_put((np.int32(1), {"generator": many}, {}, {}, {})))
    with opened(place) as checkpoints:
        with checkpoints.finished():
            checkpoints.save(1, one)
        assert_same(checkpoints.restore(like(one)), one)


def test_kept_found_and_deleted_like_on_a_disk(url, place):
    with opened(place, latest=1, best=1) as checkpoints:
        save(checkpoints, 1)
        checkpoints.score(1, 25.0)
        save(checkpoints, 2)
        checkpoints.score(2, 24.0)
        save(checkpoints, 3)
        assert checkpoints.steps() == [1, 3]
    names = objects(url, place)
    assert {name.partition("/")[0] for name in names} == {"1", "3", "ledger.json"}, "nothing is left of 2"
    assert "3/commit_success.txt" in names and not [name for name in names if name.startswith(".writable")]
    with opened(place, latest=1, best=1) as checkpoints:
        assert_same(checkpoints.restore(like(state(0))), state(3))
        assert_same(read_state(place, 1, like(state(0))), state(1))
        save(checkpoints, 4)
    assert checkpoint_folder.committed_steps(place) == [4, 1]


def test_a_step_without_its_commit_file_does_not_count(url, place):
    with opened(place) as checkpoints:
        save(checkpoints, 1, 2)
    (place / "2" / "commit_success.txt").unlink()  # as if killed while writing
    with opened(place) as checkpoints:
        assert checkpoints.steps() == [1]
        assert_same(checkpoints.restore(like(state(0))), state(1))
        save(checkpoints, 2)
    with opened(place) as checkpoints:
        assert_same(checkpoints.restore(like(state(0))), state(2))


def test_readers_follow_the_config(url, place, tmp_path):
    with opened(place, latest=3) as checkpoints:
        save(checkpoints, 1, 2)
        checkpoints.score(1, 25.0)
    (tmp_path / "config.json").write_text(json.dumps({"training": {"checkpoints": str(place)}}))
    for which, expected in (("newest", 2), ("best", 1), ("1", 1)):
        step, variables = trained.restore(tmp_path, which)
        assert step == expected
        assert_same(variables.params["generator"], state(step).ema["generator"])
        assert_same(variables.params["critic"], state(step).params["critic"])
        assert_same(variables.stats, state(step).stats)


def test_a_bucket_that_is_not_there_is_one_line(url, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "gcsfs")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"cannot write gs://nowhere/x/.*is the bucket there, and may you write to it"):
        Checkpoints(checkpoint_folder.place(tmp_path, "gs://nowhere/x"), Keep(1))
    assert time.monotonic() - start < 60
