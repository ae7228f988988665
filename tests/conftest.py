"""Every test runs with strict ranks and eight virtual CPU devices; warnings are errors (pyproject.toml)."""

import gc
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# A virtual device needs threads of its own: with one each, two collectives that are ready at once block each other.
# It counts from the first array on, which a test module may make while it is imported.
os.environ.setdefault("NPROC", "32")
# After 40 seconds, which a busy machine may let one of eight devices wait for another, XLA would abort all tests.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_collective_call_terminate_timeout_seconds=300")

import jax
import pytest
from absl import flags

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)  # compiling takes longer than running here
flags.FLAGS.mark_as_parsed()  # Grain's worker options read absl flags


@pytest.fixture(autouse=True, scope="module")
def leave_nothing_compiled():
    """Programs of thousands of tests in one process need more memory maps than Linux grants it (65,530)."""
    place = jax.config.values["jax_compilation_cache_dir"]
    yield
    jax.config.update("jax_compilation_cache_dir", place)  # which commands set, when a test calls them
    jax.clear_caches()
    gc.collect()
