"""Two processes measure one test: each does its part, both know everything, one writes."""

import json

import numpy as np
import pytest
from process_groups import environment, finish, free_address, start
from tiny_demo import BUCKETS, overrides

pytestmark = pytest.mark.slow
PHOTOGRAPHS = 11
TEST = [
    *("--protocol=configs/demo.py", "--metrics", "standard", "checks", "--baselines", "mean", "navier_stokes"),
    *[*BUCKETS, *overrides(f"data.size=16 data.count=1 data.held_out={PHOTOGRAPHS} evaluation.batch_size=2")],
]
WORKER = """
import sys
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
from scan_jax.evaluation import scoring
from scan_jax.evaluate.__main__ import evaluate, parse
scoring.PART = 4
evaluate(*parse(sys.argv[3:]))
"""


def test_two_processes_find_what_one_finds(tmp_path):
    address = free_address()
    words = [["-c", WORKER, address, rank, *TEST, f"--out={tmp_path / f'out{rank}'}"] for rank in range(2)]
    finish([start(one, environment(tmp_path / "cache")) for one in words])
    assert not (tmp_path / "out1" / "results.json").exists()
    parts = [{path.name for path in (tmp_path / f"out{rank}").rglob("mean_[0-9a-f]*/*.scores")} for rank in range(2)]
    assert parts[0] and parts[1] and not parts[0] & parts[1], "each process does its own parts"
    command = ["-m", "scan_jax.evaluate", *TEST, f"--out={tmp_path / 'alone'}"]
    finish([start(command, environment(tmp_path / "cache"))])
    together, alone = (json.loads((tmp_path / out / "results.json").read_text()) for out in ("out0", "alone"))
    for ours, theirs in zip(together["entries"], alone["entries"]):
        for bucket, metrics in theirs["completion"].items():
            for name, cell in metrics.items():
                assert len(cell["per_image"]) == PHOTOGRAPHS
                found = np.float64(ours["completion"][bucket][name]["per_image"])
                np.testing.assert_allclose(found, np.float64(cell["per_image"]), rtol=1e-5, atol=1e-6)
