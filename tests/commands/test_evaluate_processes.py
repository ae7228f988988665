"""Two processes measure one test: each does its part, both know everything, one writes."""

import json
import os
import socket
import subprocess
import sys

import numpy as np

from scan_jax.evaluate.__main__ import evaluate, parse

SIZE, PHOTOGRAPHS = 16, 11
TEST = [
    "--protocol=configs/demo.py",
    f"--config.data.size={SIZE}",
    "--config.data.count=1",
    f"--config.data.held_out={PHOTOGRAPHS}",
    "--config.evaluation.edges=(0.1,0.3,0.6)",
    "--config.evaluation.holes_per_bucket=2",
    "--config.evaluation.batch_size=2",
    *("--metrics", "standard", "checks", "--baselines", "mean", "navier_stokes"),
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
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, address, str(rank), *TEST, f"--out={tmp_path / f'out{rank}'}"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=240)
        assert process.returncode == 0, stderr
    assert not (tmp_path / "out1" / "results.json").exists()
    parts = [{path.name for path in (tmp_path / f"out{rank}").rglob("mean_[0-9a-f]*/*.scores")} for rank in range(2)]
    assert parts[0] and parts[1] and not parts[0] & parts[1], "each process does its own parts"
    evaluate(*parse([*TEST, f"--out={tmp_path / 'alone'}"]))
    together, alone = (json.loads((tmp_path / out / "results.json").read_text()) for out in ("out0", "alone"))
    for ours, theirs in zip(together["entries"], alone["entries"]):
        for bucket, metrics in theirs["completion"].items():
            for name, cell in metrics.items():
                assert len(cell["per_image"]) == PHOTOGRAPHS
                found = np.float64(ours["completion"][bucket][name]["per_image"])
                np.testing.assert_allclose(found, np.float64(cell["per_image"]), rtol=1e-5, atol=1e-6)
