"""Freed memory stays with the process: a second use of it meets no page that is not there."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from scan_jax import host_memory
if sys.argv[1] == "kept":
    host_memory.keep_freed()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b'1' * (64 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_memory_that_was_freed_is_there_at_once():
    if faults("returned") < 10_000:
        pytest.skip("pages of this machine are huge or its C library is another; nothing to see")
    assert faults("kept") < 100
