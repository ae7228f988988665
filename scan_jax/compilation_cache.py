"""Compiled programs on disk, so that the next start of a command finds its own ready."""

from __future__ import annotations

import os
from pathlib import Path


def keep_compilations() -> None:
    """In the user's cache folder, unless JAX_COMPILATION_CACHE_DIR names another place."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    import jax  # not before it is needed: commands answer --help without it

    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(caches / "scan_jax" / "xla"))
