"""Operating system, interpreter, processors and memory."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import sys
from pathlib import Path

KIB = 1024


@dataclasses.dataclass(frozen=True)
class Machine:
    """What runs everything else; memory in bytes, None where it cannot be known.

    Attributes:
      system: name, release and processor.
      kind: "linux", "wsl2", "windows" or "macos", which decides what JAX can be installed.
      python: version.
      executable: path of the interpreter.
      cpus: that this process may use.
      memory_total: of the machine, or what its container may use.
      memory_free: of that, what can be taken without swapping.
    """

    system: str
    kind: str
    python: str
    executable: str
    cpus: int
    memory_total: int | None
    memory_free: int | None


def look(root: Path = Path("/")) -> Machine:
    """The machine whose file system lies at `root`."""
    total, free = _memory(root)
    release = read_text(root / "proc/sys/kernel/osrelease") or platform.release()
    return Machine(
        system=f"{platform.system()} {release} {platform.machine()}",
        kind=_kind(release),
        python=platform.python_version(),
        executable=sys.executable,
        cpus=_cpus(),
        memory_total=total,
        memory_free=free,
    )


def _kind(release: str) -> str:
    if "microsoft" in release.lower():  # such as 6.6.87.2-microsoft-standard-WSL2
        return "wsl2"
    return {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")


def _cpus() -> int:
    """Not all of a shared machine: Slurm and containers bind processes to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory(root: Path) -> tuple[int | None, int | None]:
    """Total and free bytes: the kernel's account, or the container's where that allows less (control groups v2)."""
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", read_text(root / "proc/meminfo"), re.MULTILINE))
    if not {"MemTotal", "MemAvailable"} <= sizes.keys():
        return None, None
    total, free = int(sizes["MemTotal"]) * KIB, int(sizes["MemAvailable"]) * KIB
    group = root / "sys/fs/cgroup"
    limit, used = read_text(group / "memory.max"), read_text(group / "memory.current")
    if not (limit.isdigit() and used.isdigit()) or int(limit) >= total:
        return total, free
    cache = re.search(r"^inactive_file (\d+)$", read_text(group / "memory.stat"), re.MULTILINE)  # given back on demand
    return int(limit), min(free, int(limit) - int(used) + (int(cache[1]) if cache else 0))


def read_text(path: Path) -> str:
    """One of the kernel's files, without the space around; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
