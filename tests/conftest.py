"""Every test runs with strict ranks and eight virtual CPU devices; warnings are errors (pyproject.toml)."""

import gc
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# A virtual device that waits in a collective holds a thread, and may wait in two: eight need more than eight threads.
# It counts from the first array on, which a test module may make while it is imported.
os.environ.setdefault("NPROC", "32")

import jax
import pytest
from absl import flags

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_enable_compilation_cache", False)  # not for several CPU devices: scan_jax.compilation_cache
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)  # compiling takes longer than running here
flags.FLAGS.mark_as_parsed()  # Grain's worker options read absl flags


@pytest.fixture(autouse=True, scope="module")
def leave_nothing_compiled():
    """Programs of thousands of tests in one process need more memory maps than Linux grants it (65,530)."""
    place = jax.config.values["jax_compilation_cache_dir"]
    yield
    jax.config.update("jax_compilation_cache_dir", place)  # which a benchmark sets, when a test calls it
    jax.clear_caches()
    gc.collect()
