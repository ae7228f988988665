"""Accelerators that the machine shows without JAX: to nvidia-smi, as device files, on the PCI bus, in the environment.

Device files and PCI numbers are those that JAX itself looks for (jax/_src/hardware_utils.py).
"""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

NVIDIA_VENDOR = "0x10de"
DISPLAY_CLASS = "0x03"  # VGA and 3D controllers; a card's sound and USB are devices, too
GOOGLE_VENDOR = "0x1ae0"
TPU_DEVICES = frozenset({"0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076"})  # v2/v3 ... v7
TPU_VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "TPU_TOPOLOGY")
WSL_TOOLS = "/usr/lib/wsl/lib"  # where Windows puts nvidia-smi, which is not always in the path
MIB = 1024**2
TIME_LIMIT = 30  # seconds; a driver in trouble can keep nvidia-smi waiting for ever


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One of NVIDIA's as its driver sees it; memory in bytes, None where the driver does not say."""

    name: str
    memory_total: int | None
    memory_free: int | None
    capability: str


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What is there, whether JAX sees it or not.

    Attributes:
      gpus: that NVIDIA's driver lists.
      driver: its version; empty where there is none or it does not answer.
      cuda: the newest CUDA that the driver runs.
      nvidia_signs: why an NVIDIA GPU must be there; empty where none shows.
      tpu_signs: why this must be a TPU's host; empty where nothing shows one.
      complaint: of nvidia-smi where it fails.
    """

    gpus: tuple[Gpu, ...]
    driver: str
    cuda: str
    nvidia_signs: tuple[str, ...]
    tpu_signs: tuple[str, ...]
    complaint: str


def look(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Hardware:
    """The hardware of the machine whose file system lies at `root`."""
    tool = shutil.which("nvidia-smi", path=os.pathsep.join([environ.get("PATH", os.defpath), WSL_TOOLS]))
    gpus, driver, complaint = _list_gpus(tool) if tool else ((), "", "")
    listed = [f"nvidia-smi lists {len(gpus)}"] if gpus else []
    cards = _on_bus(root, NVIDIA_VENDOR, lambda device: read_text(device / "class").startswith(DISPLAY_CLASS))
    chips = _on_bus(root, GOOGLE_VENDOR, lambda device: read_text(device / "device") in TPU_DEVICES)
    return Hardware(
        gpus=gpus,
        driver=driver or _driver_of_kernel(root),
        cuda=_cuda_of_driver(tool) if tool and gpus else "",
        nvidia_signs=(*listed, *_files(root, "nvidia[0-9]*"), *_files(root, "nvidiactl"), *cards),
        tpu_signs=(*_files(root, "accel[0-9]*"), *chips, *(f"${name}" for name in TPU_VARIABLES if environ.get(name))),
        complaint=complaint,
    )


def _list_gpus(tool: str) -> tuple[tuple[Gpu, ...], str, str]:
    """GPUs and driver, or what nvidia-smi said instead."""
    code, told = _ask(tool, "--query-gpu=driver_version,memory.total,memory.free,name")
    if code:
        return (), "", (told.strip() or f"nvidia-smi ended with {code}").splitlines()[0]
    rows = [[cell.strip() for cell in line.split(",", 3)] for line in told.splitlines() if line.count(",") >= 3]
    code, told = _ask(tool, "--query-gpu=compute_cap")  # drivers before 510 do not know the word
    capabilities = [word if re.fullmatch(r"\d+\.\d+", word) else "" for word in told.split()] if not code else []
    capabilities += [""] * (len(rows) - len(capabilities))
    gpus = tuple(Gpu(row[3], _mebibytes(row[1]), _mebibytes(row[2]), told) for row, told in zip(rows, capabilities))
    driver = rows[0][0] if rows and rows[0][0][:1].isdigit() else ""
    return gpus, driver, "" if rows else "nvidia-smi lists no GPU"


def _ask(tool: str, *queries: str) -> tuple[int, str]:
    """Exit code and output."""
    form = ["--format=csv,noheader,nounits"] if queries else []
    try:
        done = subprocess.run([tool, *queries, *form], capture_output=True, text=True, timeout=TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout or done.stderr


def _cuda_of_driver(tool: str) -> str:
    """From the head of the table, its only place."""
    found = re.search(r"CUDA\D*Version:\s*([\d.]+)", _ask(tool)[1])
    return found[1] if found else ""


def _driver_of_kernel(root: Path) -> str:
    """Of a container that has the devices without nvidia-smi."""
    found = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", read_text(root / "proc/driver/nvidia/version"))
    return found[1] if found else ""


def _mebibytes(cell: str) -> int | None:
    """Bytes; machines that share memory with the processor say [N/A]."""
    return int(cell) * MIB if cell.isdigit() else None


def _files(root: Path, pattern: str) -> list[str]:
    return sorted(f"/dev/{path.name}" for path in (root / "dev").glob(pattern))


def _on_bus(root: Path, vendor: str, wanted: Callable[[Path], bool]) -> list[str]:
    """How many of a vendor's wanted devices the PCI bus has, in words."""
    devices = [path.parent for path in (root / "sys/bus/pci/devices").glob("*/vendor") if read_text(path) == vendor]
    number = sum(map(wanted, devices))
    return [f"{number} on the PCI bus"] if number else []


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


def look_at_machine(root: Path = Path("/")) -> Machine:
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


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder.

    Attributes:
      name: what lies there.
      path: where.
      chosen_by: the environment variable that said so; empty for the default.
      exists: whether the folder is there.
      writable: whether it, or the folder in which it would be made, can be written to.
      free: bytes on its disk.
      content: names of what is there.
    """

    name: str
    path: str
    chosen_by: str
    exists: bool
    writable: bool
    free: int
    content: tuple[str, ...]


def look_at_places(compilations: str) -> tuple[Place, ...]:
    """Every place that the toolkit uses.

    Args:
      compilations: folder of compiled programs, which only JAX knows; empty where it did not start.
    """
    from scan_jax.weights import registry

    places = [
        _place("working folder", Path.cwd()),
        _place("weights", registry.folder(), registry.FOLDER_VARIABLE, _list_weights),
    ]
    if datasets := _datasets():
        places.append(_place("datasets", datasets, "TFDS_DATA_DIR", _list_datasets))
    if compilations and "://" not in compilations:  # storage elsewhere has no disk to measure
        places.append(_place("compiled programs", Path(compilations), "JAX_COMPILATION_CACHE_DIR", _count))
    return tuple(places)


def _nothing(path: Path) -> tuple[str, ...]:
    return ()


def _place(name: str, path: Path, variable: str = "", listed: Callable[[Path], tuple[str, ...]] = _nothing) -> Place:
    known = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    return Place(
        name=name,
        path=str(path),
        chosen_by=variable if os.environ.get(variable) else "",
        exists=path.is_dir(),
        writable=os.access(known, os.W_OK),
        free=shutil.disk_usage(known).free,
        content=listed(path),
    )


def _datasets() -> Path | None:
    """None where the packages that read them are not installed."""
    try:
        from scan_jax.core.prepared import default_data_dir
    except ImportError:
        return None
    return default_data_dir()


def _list_datasets(path: Path) -> tuple[str, ...]:
    """Such as celeba_hq/256, whatever their version."""
    return tuple(sorted({"/".join(info.parts[-4:-2]) for info in path.glob("*/*/*/dataset_info.json")}))


def _list_weights(path: Path) -> tuple[str, ...]:
    """Files of feature networks, folders of generators."""
    return tuple(sorted(one.name for one in path.glob("*") if one.suffix == ".safetensors" or one.is_dir()))


def _count(path: Path) -> tuple[str, ...]:
    number = sum(1 for _ in path.glob("*-cache"))
    return (f"{number} programs",) if number else ()
