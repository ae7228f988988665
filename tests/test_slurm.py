"""launch/slurm.sbatch under a real Slurm, where this machine has one and does little else: Slurm's own limits count."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = 77  # the script's exit code


@pytest.mark.slow
@pytest.mark.skipif("SCAN_JAX_SLURM" not in os.environ, reason="needs SCAN_JAX_SLURM=1: starts a Slurm on this machine")
def test_the_job_is_queued_again_and_goes_on():
    script = Path(__file__).with_name("slurm_on_one_node.sh")
    done = subprocess.run(["bash", script, sys.executable], capture_output=True, text=True, timeout=1800)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
