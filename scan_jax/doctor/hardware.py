"""Accelerators that the machine shows without JAX: to nvidia-smi, as device files, on the PCI bus, in the environment.

Device files and PCI numbers are those that JAX itself looks for (jax/_src/hardware_utils.py).
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from scan_jax.doctor.machine import read_text

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
