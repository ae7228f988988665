"""Compiled programs on disk, so that the next start of a command finds its own ready."""

from __future__ import annotations

import os
from pathlib import Path


def keep_compilations() -> None:
    """In the user's cache folder, unless JAX_COMPILATION_CACHE_DIR names another place.

    Nothing is kept where several CPU devices share a program, whatever the variable says: read back from disk, it runs
    the collectives of its loops beside others, in no fixed order, and devices that meet in different ones wait for
    ever.
    """
    import jax  # not before it is needed: commands answer --help without it
    from jax.experimental.compilation_cache import compilation_cache

    if jax.default_backend() == "cpu" and jax.device_count() > 1:
        jax.config.update("jax_enable_compilation_cache", False)
        compilation_cache.reset_cache()  # it may be in use since something was compiled
    elif "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(caches / "scan_jax" / "xla"))
