"""What the machine has, seen without JAX: processors, memory, accelerators, folders, and versions of packages.

Device files and PCI numbers of accelerators are those that JAX itself looks for (jax/_src/hardware_utils.py).
"""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import scan_jax

NVIDIA_VENDOR, GOOGLE_VENDOR = "0x10de", "0x1ae0"
DISPLAY_CLASS = "0x03"  # VGA and 3D controllers; a card's sound and USB are devices, too
TPU_DEVICES = frozenset({"0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076"})  # v2/v3 ... v7
TPU_VARIABLES = ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "TPU_TOPOLOGY")
WSL_TOOLS = "/usr/lib/wsl/lib"  # where Windows puts nvidia-smi, which is not always in the path
KIB, MIB = 1024, 1024**2
TIME_LIMIT = 30  # seconds; a driver in trouble can keep nvidia-smi waiting for ever
# Other packages that are the same module.
STAND_INS = {"opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")}
# JAX's extras that bring what it needs for an accelerator, by the packages that tell that one was installed.
CUDA_PLUGINS = {"cuda12": "jax-cuda12-plugin", "cuda13": "jax-cuda13-plugin"}
TPU_LIBRARY = "libtpu"
# What packages of our extras need, where they are installed; pytorch-fid does not say so itself.
NARROWER = {"gradio": ("pillow<13",), "pytorch-fid": ("scipy<1.18",)}


@dataclasses.dataclass(frozen=True)
class Machine:
    """What runs everything else; memory in bytes, None where it cannot be known."""

    system: str  # name, release and processor
    kind: str  # "linux", "wsl2", "windows" or "macos", which decides what JAX can be installed
    python: str  # version
    executable: str  # path of the interpreter
    cpus: int  # that this process may use
    memory_total: int | None  # of the machine, or what its container may use
    memory_free: int | None  # of that, what can be taken without swapping


def find_machine(root: Path = Path("/")) -> Machine:
    """The machine whose file system is at `root`."""
    total, free = _memory(root)
    release = read_text(root / "proc/sys/kernel/osrelease") or platform.release()
    wsl2 = "microsoft" in release.lower()  # such as 6.6.87.2-microsoft-standard-WSL2
    return Machine(
        system=f"{platform.system()} {release} {platform.machine()}",
        kind="wsl2" if wsl2 else {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux"),
        python=platform.python_version(),
        executable=sys.executable,
        # Not all of a shared machine: Slurm and containers bind processes to some.
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_total=total,
        memory_free=free,
    )


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
class Gpu:
    """One of NVIDIA's as its driver sees it; memory in bytes, None where the driver does not say."""

    name: str
    memory_total: int | None
    memory_free: int | None
    capability: str


@dataclasses.dataclass(frozen=True)
class Hardware:
    """Accelerators, whether JAX sees them or not."""

    gpus: tuple[Gpu, ...]  # that NVIDIA's driver lists
    driver: str  # its version; empty where there is none or it does not answer
    cuda: str  # the newest CUDA that the driver runs
    nvidia_signs: tuple[str, ...]  # why an NVIDIA GPU must be there; empty where none shows
    tpu_signs: tuple[str, ...]  # why this must be a TPU's host; empty where nothing shows one
    complaint: str  # of nvidia-smi where it fails


def find_hardware(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Hardware:
    """The accelerators of the machine whose file system is at `root`."""
    tool = shutil.which("nvidia-smi", path=os.pathsep.join([environ.get("PATH", os.defpath), WSL_TOOLS]))
    gpus, driver, complaint = _list_gpus(tool) if tool else ((), "", "")
    # The head of nvidia-smi's table is the only place of the CUDA version.
    cuda = re.search(r"CUDA\D*Version:\s*([\d.]+)", _ask(tool)[1]) if tool and gpus else None
    if not driver:  # of a container that has the devices without nvidia-smi
        kernel = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", read_text(root / "proc/driver/nvidia/version"))
        driver = kernel[1] if kernel else ""
    bus = [(path.parent, read_text(path)) for path in (root / "sys/bus/pci/devices").glob("*/vendor")]
    cards = sum(of == NVIDIA_VENDOR and read_text(one / "class").startswith(DISPLAY_CLASS) for one, of in bus)
    chips = sum(of == GOOGLE_VENDOR and read_text(one / "device") in TPU_DEVICES for one, of in bus)
    listed = [f"nvidia-smi lists {len(gpus)}"] if gpus else []

    def signs(count: int, *patterns: str) -> list[str]:
        files = [f"/dev/{path.name}" for pattern in patterns for path in sorted((root / "dev").glob(pattern))]
        return files + [f"{count} on the PCI bus"] * bool(count)

    return Hardware(
        gpus=gpus,
        driver=driver,
        cuda=cuda[1] if cuda else "",
        nvidia_signs=(*listed, *signs(cards, "nvidia[0-9]*", "nvidiactl")),
        tpu_signs=(*signs(chips, "accel[0-9]*"), *(f"${name}" for name in TPU_VARIABLES if environ.get(name))),
        complaint=complaint,
    )


def _list_gpus(tool: str) -> tuple[tuple[Gpu, ...], str, str]:
    """GPUs and driver, or what nvidia-smi said instead."""

    def mebibytes(cell: str) -> int | None:  # machines that share memory with the processor say [N/A]
        return int(cell) * MIB if cell.isdigit() else None

    code, output = _ask(tool, "--query-gpu=driver_version,memory.total,memory.free,name")
    if code:
        return (), "", (output.strip() or f"nvidia-smi ended with {code}").splitlines()[0]
    rows = [[cell.strip() for cell in line.split(",", 3)] for line in output.splitlines() if line.count(",") >= 3]
    code, output = _ask(tool, "--query-gpu=compute_cap")  # drivers before 510 do not know the word
    capabilities = [word if re.fullmatch(r"\d+\.\d+", word) else "" for word in output.split()] if not code else []
    capabilities += [""] * (len(rows) - len(capabilities))
    gpus = tuple(Gpu(row[3], mebibytes(row[1]), mebibytes(row[2]), word) for row, word in zip(rows, capabilities))
    driver = rows[0][0] if rows and rows[0][0][:1].isdigit() else ""
    return gpus, driver, "" if rows else "nvidia-smi lists no GPU"


def memory_holders(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The processes that hold memory of NVIDIA's GPUs, in words; none where nvidia-smi does not say."""
    tool = shutil.which("nvidia-smi", path=os.pathsep.join([environ.get("PATH", os.defpath), WSL_TOOLS]))
    code, output = _ask(tool, "--query-compute-apps=pid,used_memory,process_name") if tool else (1, "")
    rows = [[cell.strip() for cell in line.split(",", 2)] for line in output.splitlines() if line.count(",") >= 2]
    return () if code else tuple(f"process {row[0]} ({row[2]}, {row[1]} MiB)" for row in rows)


def _ask(tool: str, *queries: str) -> tuple[int, str]:
    """Exit code and output."""
    form = ["--format=csv,noheader,nounits"] if queries else []
    try:
        done = subprocess.run([tool, *queries, *form], capture_output=True, text=True, timeout=TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout or done.stderr


@dataclasses.dataclass(frozen=True)
class Folder:
    """One that the toolkit uses."""

    name: str  # of what is in it
    path: str  # where
    chosen_by: str  # the environment variable that said so; empty for the default
    exists: bool  # whether the folder is there
    writable: bool  # whether it, or the folder in which it would be made, can be written to
    free: int  # bytes on its disk
    content: tuple[str, ...]  # names of what is there


def find_folders(compilations: str) -> tuple[Folder, ...]:
    """Every folder that the toolkit uses; that of compiled programs only JAX knows, empty where it did not start."""
    from scan_jax.weights import registry

    def look(name: str, path: Path, variable: str = "", content: Iterable[str] = ()) -> Folder:
        there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
        chosen_by, free = variable if os.environ.get(variable) else "", shutil.disk_usage(there).free
        writable = os.access(there, os.W_OK)
        return Folder(name, str(path), chosen_by, path.is_dir(), writable, free, tuple(content))

    weights = registry.folder()
    files = sorted(one.name for one in weights.glob("*") if one.suffix == ".safetensors" or one.is_dir())
    folders = [look("working folder", Path.cwd()), look("weights", weights, registry.FOLDER_VARIABLE, files)]
    try:
        from scan_jax.core.prepared import default_data_dir
    except ImportError:  # the packages that read datasets are not installed
        pass
    else:
        datasets = default_data_dir()  # such as celeba_hq/256, whatever their version
        names = sorted({"/".join(info.parts[-4:-2]) for info in datasets.glob("*/*/*/dataset_info.json")})
        folders.append(look("datasets", datasets, "TFDS_DATA_DIR", names))
    if compilations and "://" not in compilations:  # storage elsewhere has no disk to measure
        count = sum(1 for _ in Path(compilations).glob("*-cache"))
        content = [f"{count} program{'s' * (count > 1)}"] * bool(count)
        folders.append(look("compiled programs", Path(compilations), "JAX_COMPILATION_CACHE_DIR", content))
    return tuple(folders)


@dataclasses.dataclass(frozen=True)
class Package:
    """One that is required."""

    name: str  # of the distribution, or "python"
    version: str  # that is installed; empty where none is
    wanted: str  # the bounds, such as ">=0.10.2,<0.13"; empty where any will do
    required_by: str  # which package says so
    fits: bool  # whether a version is installed and within the bounds


def find_packages(extras: Iterable[str] = ()) -> tuple[Package, ...]:
    """Python, everything that is required here, and what those in turn miss; an ImportError without `packaging`.

    `extras` are those of JAX that this machine needs, such as "tpu"; their packages are checked where installed.
    """
    from packaging.specifiers import SpecifierSet

    bounds, lines = requirements()
    python = platform.python_version()
    fits = SpecifierSet(bounds).contains(python, prereleases=True)
    ours = (Package("python", python, bounds, "scan_jax", fits), *_rows("scan_jax", lines))
    needs = {package.name: _requires(package.name) for package in ours} | NARROWER
    beneath = (row for name, lines in needs.items() if version_of(name) for row in _rows(name, lines))
    others = [row for row in beneath if not row.fits or (row.required_by, row.name) == ("jax", "jaxlib")]
    added = [row for extra in extras for row in _rows("jax", _requires("jax"), extra)]
    others += [row for row in added if row.name != "jaxlib" and row.version]
    names = {_plain(package.name) for package in ours if not package.fits}  # and so are told of already
    return (*ours, *(row for row in others if _plain(row.name) not in names))


def version_of(name: str) -> str:
    """Empty where it is not installed."""
    for candidate in (name, *STAND_INS.get(name, ())):
        try:
            return metadata.version(candidate) or ""
        except metadata.PackageNotFoundError:
            continue
    return ""


def wanted_of(name: str) -> str:
    """The bounds here of one required package; empty where it is not required."""
    found = (re.match(rf"{re.escape(name)}\s*([<>=!~][^;]*)", line) for line in requirements()[1])
    return next((match[1].strip() for match in found if match), "")


def requirements() -> tuple[str, tuple[str, ...]]:
    """Bounds of Python, and a line for each required package: of these sources, else of what was installed."""
    folder = Path(scan_jax.__file__).parents[1]
    project, listed = folder / "pyproject.toml", folder / "requirements.txt"
    if project.is_file() and listed.is_file():  # installed packages leave no pyproject.toml beside them
        python = re.search(r'^requires-python\s*=\s*"(.*)"', project.read_text(encoding="utf-8"), re.MULTILINE)
        lines = (line.partition("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
        return python[1] if python else "", tuple(line for line in lines if line)
    try:
        return metadata.metadata("scan_jax")["Requires-Python"] or "", tuple(_requires("scan_jax"))
    except metadata.PackageNotFoundError:
        return "", ()


def _rows(required_by: str, lines: Iterable[str], extra: str = "") -> Iterator[Package]:
    """Those that are always required, or those that `extra` adds."""
    from packaging.requirements import Requirement

    for line in lines:
        need = Requirement(line)
        always, wanted_now = (need.marker is None or need.marker.evaluate({"extra": one}) for one in ("", extra))
        if wanted_now and not (extra and always):
            version = version_of(need.name)
            fits = bool(version) and need.specifier.contains(version, prereleases=True)
            wanted = ",".join(sorted(map(str, need.specifier), reverse=True))  # the lower bound first
            yield Package(need.name, version, wanted, required_by, fits)


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _plain(name: str) -> str:
    """One spelling of ml_dtypes, ML-dtypes and ml.dtypes."""
    return re.sub(r"[-_.]+", "-", name).lower()
