"""How all tests run: on every core, strict ranks, warnings as errors, one CPU device unless a module wants more.

Two tiers: `python -m pytest -q` is what every change runs, `python -m pytest -q -m slow` what needs minutes.
"""

import collections
import contextlib
import gc
import importlib.metadata
import importlib.util
import os
import re
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# XLA's older way to emit loops compiles faster; what it makes is slower. JAX 0.11 has no such way, and ends where a
# flag is not known.
if importlib.util.find_spec("jaxlib") and importlib.metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_use_fusion_emitters=false {os.environ.get('XLA_FLAGS', '')}".strip()
os.environ.setdefault("EPATH_USE_TF", "false")  # gs:// by gcsfs; etils asks when JAX first looks into its cache

try:
    import jax
    import xdist  # noqa: F401  the whole suite runs on it
    from absl import flags
    from jax.experimental.compilation_cache import compilation_cache
    from jax.extend.backend import clear_backends
except ModuleNotFoundError as error:
    MISSING = error.name
else:
    MISSING = None
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_disable_most_optimizations", True)  # compiling takes longer than running here
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")  # they put the folder's path into the keys
    flags.FLAGS.mark_as_parsed()  # Grain's worker options read absl flags

PIP = "pip install -r requirements.txt -r requirements-test.txt"
SLOW_PIP = "pip install -r requirements-slow.txt"
OF_THE_FIRST_TIER = (
    *("torch", "torchvision", "lpips", "pytorch_fid", "scipy", "sklearn", "skimage", "orbax"),
    *("lmdb", "google_crc32c", "pyarrow"),
)
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "xla"  # what earlier runs compiled, by JAX's own keys
MANY_MAPS = 30_000  # Linux grants a process 65,530 memory maps, and every compiled program needs some


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """The whole suite takes all cores; a file or two that somebody names stay in one process, for -s and --pdb."""
    if MISSING:
        raise pytest.UsageError(f"the tests need {MISSING}: {PIP}")
    whole = config.args_source is not config.ArgsSource.ARGS
    is_worker = "PYTEST_XDIST_WORKER" in os.environ  # which would start workers of its own
    if whole and not is_worker and config.option.numprocesses is None:
        config.option.numprocesses = "auto"
        config.option.dist = "loadscope"  # what a module compiles, trains or serves is there once


def use_devices(count):
    """So many virtual devices from now on, whose arrays are none of those before.

    Programs that several share are not read from a cache: scan_jax.core.distributed says why.
    """
    clear_backends()
    # A virtual device that waits in a collective holds a thread, and may wait in two: eight need more than eight.
    os.environ["NPROC"] = str(4 * count)
    jax.config.update("jax_num_cpu_devices", count)
    jax.config.update("jax_enable_compilation_cache", count == 1)
    compilation_cache.reset_cache()


@pytest.fixture(autouse=True, scope="module")
def several_devices(request):
    count = getattr(request.module, "DEVICES", 1)
    if count > 1:
        use_devices(count)
    yield
    if count > 1:
        use_devices(1)


@pytest.fixture(autouse=True, scope="session")
def compiled_programs():
    """A folder of links to what earlier runs compiled; what this one adds is there for the next.

    Each worker has its own: JAX writes its cache in place, where another worker might read half a file. It lies beside
    the common one: hard links cannot cross file systems, and /tmp often is another one.
    """
    COMPILED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=COMPILED.parent, prefix="xla_", ignore_cleanup_errors=True) as own:
        for path in COMPILED.iterdir():
            os.link(path, Path(own, path.name))
        jax.config.update("jax_compilation_cache_dir", own)
        yield
        # But not what was traced: its key is the code's, and a test may have put something else in its place.
        for path in Path(own).glob("*-cache"):
            with contextlib.suppress(FileExistsError):
                os.link(path, COMPILED / path.name)


@pytest.fixture(autouse=True, scope="module")
def few_memory_maps(compiled_programs):
    place = jax.config.values["jax_compilation_cache_dir"]
    yield
    if jax.config.values["jax_compilation_cache_dir"] != place:  # a benchmark set it, which a test called
        jax.config.update("jax_compilation_cache_dir", place)
        compilation_cache.reset_cache()  # it goes on with the other folder, which may be gone
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()
        gc.collect()


def pytest_terminal_summary(terminalreporter):
    """What was skipped, by its cause and the line that brings what is missing."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    causes = collections.Counter(cause(entry[2] if isinstance(entry, tuple) else str(entry)) for entry in skipped)
    for text, count in causes.most_common():
        terminalreporter.write_line(f"skipped {count}: {text}")


def cause(reason):
    """A skip's reason; of a package that is not installed, the line that installs it."""
    reason = reason.removeprefix("Skipped: ")
    package = re.match(r"could not import '(\w+)", reason)
    if package is None:
        return reason
    return f"needs {package[1]}: {PIP if package[1] in OF_THE_FIRST_TIER else SLOW_PIP}"
