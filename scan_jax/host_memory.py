"""What the process does with memory that it is done with."""

from __future__ import annotations

import ctypes
import sys

# glibc's mallopt(3): memory goes back to the system never, and all of it comes from one heap.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed() -> None:
    """Keeps freed memory for the next step instead of returning it to the system and asking for it again.

    On a CPU every step takes all its memory anew, in pages that the system must clear first. It holds for the whole
    process; call it before JAX starts its threads. It does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    for setting, value in ((_TRIM_THRESHOLD, -1), (_MMAP_MAX, 0), (_ARENA_MAX, 1)):
        library.mallopt(setting, value)
