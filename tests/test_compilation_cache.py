"""Programs are kept on disk for the next process, but not where CPU devices share one; freed memory is kept, too."""

import os
import subprocess
import sys

import pytest

COMPILE = """
import jax, numpy as np
from scan_jax.core.distributed import keep_compilations

def earlier(x): return x - 1
def later(x): return x + 1

jax.jit(earlier)(np.ones(3))  # a program that was compiled before may have brought the cache into use
keep_compilations()
print(jax.jit(later)(np.ones(3)).sum())
"""


def kept(tmp_path, devices, place):
    """Where a process with so many devices leaves a program for the next one; `place` is what the variable says."""
    environment = {
        **{name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name},
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XDG_CACHE_HOME": str(tmp_path),
        **({"JAX_COMPILATION_CACHE_DIR": str(place)} if place else {}),
    }
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == 6
    return {path.parent for path in tmp_path.rglob("jit_later*")}


def test_programs_of_one_device_are_kept_and_those_of_several_are_not(tmp_path):
    assert kept(tmp_path / "default", 1, None) == {tmp_path / "default" / "scan_jax" / "xla"}
    said = tmp_path / "said"
    assert kept(said, 1, said / "place") == {said / "place"}
    several = tmp_path / "several"
    assert kept(several, 2, None) == kept(several, 2, several / "place") == set()


def test_an_inpainter_keeps_its_programs_where_jax_was_told_or_in_the_users_cache(tmp_path):
    code = """
import jax, sys
if len(sys.argv) > 1:
    jax.config.update("jax_compilation_cache_dir", sys.argv[1])
from scan_jax import Inpainter
Inpainter.load("telea")
print(jax.config.jax_compilation_cache_dir)
"""
    environment = {name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    for words, expected in (([], tmp_path / "scan_jax" / "xla"), ([str(tmp_path / "own")], tmp_path / "own")):
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(expected)


SCRIPT = """
import resource, sys
from scan_jax.core import distributed
if sys.argv[1] == "kept":
    distributed.keep_freed()
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
