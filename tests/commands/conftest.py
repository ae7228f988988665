"""What commands in this process leave as it was, and a run of the tiny demo for those that need a trained one."""

import logging
import shutil
import sys

import jax
import pytest
from tiny_demo import DEMO, TINY, overrides, said

from scan_jax.commands import cli, train

MADE = []  # where the run of this process' tests lies, and what was said meanwhile


@pytest.fixture(autouse=True, scope="module")
def one_cache(compiled_programs):
    """Commands keep what they compile where the tests do, those in processes of one device, too."""
    loggers = [logging.getLogger(name) for name in ("scan_jax", *cli.NOISY)]
    levels = [logger.level for logger in loggers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.values["jax_compilation_cache_dir"])
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)
        yield
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def four_steps():
    steps = "training.steps=4 training.checkpoint_every=2 training.pictures_every=4"
    return [DEMO, *TINY, *overrides(steps)]


@pytest.fixture(scope="module")
def trained(one_cache, four_steps, tmp_path_factory):
    """A run folder of the module's own, and what the command said."""
    if not MADE:
        folder = tmp_path_factory.mktemp("trained") / "tiny"
        MADE.append((folder, said(train.main, *four_steps, f"--workdir={folder}")))
    folder, log = MADE[0]
    return shutil.copytree(folder, tmp_path_factory.mktemp("runs") / "tiny0"), log
