"""What JAX makes of the machine, asked in another process: a JAX that crashes or hangs is one line here."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import scan_jax

LOG_CHARACTERS = 4000
TOLD = ("platform", "platform_version", "processes", "compilations", "failure")


@dataclasses.dataclass(frozen=True)
class Device:
    """One of JAX's; memory in bytes, None where the backend does not tell.

    Attributes:
      id: its number.
      kind: such as "NVIDIA H200" or "TPU v5 lite".
      platform: "cpu", "gpu" or "tpu".
      memory_limit: that JAX may take of its memory.
      memory_used: of that, by this process.
      first_seconds: of a small convolution with compiling; None where it did not end.
      next_seconds: of the same once compiled.
      right: whether its result was.
    """

    id: int
    kind: str
    platform: str
    memory_limit: int | None = None
    memory_used: int | None = None
    first_seconds: float | None = None
    next_seconds: float | None = None
    right: bool = False


@dataclasses.dataclass(frozen=True)
class Backend:
    """JAX as it started here.

    Attributes:
      platform: the default one; empty where JAX does not start.
      platform_version: as the backend has it, such as the CUDA version.
      processes: that JAX counts.
      devices: of this process.
      compilations: folder where compiled programs are kept.
      failure: why JAX did not start, or a device did not compute, in one line; empty where all went well.
      log: the end of what JAX wrote to stderr.
    """

    platform: str = ""
    platform_version: str = ""
    processes: int = 0
    devices: tuple[Device, ...] = ()
    compilations: str = ""
    failure: str = ""
    log: str = ""

    @property
    def complaint(self) -> str:
        """The last line of the log that speaks of something gone wrong."""
        wrong = [line.strip() for line in self.log.splitlines() if re.search("error|unable|fail", line, re.IGNORECASE)]
        return wrong[-1] if wrong else ""


def look(time_limit: float) -> Backend:
    """JAX's devices, each after it computed.

    Args:
      time_limit: in seconds, for all of it.
    """
    here = [str(Path(scan_jax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    # A training run that holds most of a GPU's memory is no reason to fail.
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(here), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "scan_jax.doctor.probe"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=time_limit, env=environ)
    except subprocess.TimeoutExpired as late:
        return read(late.stdout or b"", late.stderr or b"", f"no answer within {time_limit:g} s")
    except OSError as error:
        return Backend(failure=f"cannot start {sys.executable}: {error.strerror or error}")
    return read(done.stdout, done.stderr, _end(done.returncode))


def read(output: bytes, log: bytes, end: str) -> Backend:
    """What the probe told before its end.

    Args:
      output: lines of JSON, among which libraries may print what they like.
      log: its stderr.
      end: how it ended if not well; the probe's own word on that goes first.
    """
    told: dict[str, Any] = {}
    devices: dict[int, dict[str, Any]] = {}
    for line in filter(None, map(_parse, output.decode(errors="replace").splitlines())):
        for part in (line.pop("device", None), line.pop("computed", None)):
            if part:
                devices[part["id"]] = devices.get(part["id"], {}) | part
        told |= line
    known = {"failure": end} | {key: value for key, value in told.items() if key in TOLD}
    text = log.decode(errors="replace").strip()[-LOG_CHARACTERS:]
    return Backend(**known, devices=tuple(Device(**device) for device in devices.values()), log=text)


def _parse(line: str) -> dict[str, Any]:
    """Empty where it is not the probe's."""
    if not line.startswith('{"'):
        return {}
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _end(code: int) -> str:
    """Empty for a good one."""
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""


# Other packages that are the same module.
STAND_INS = {
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
}
# JAX's extras that bring what it needs for an accelerator, by the packages that tell that one was installed.
CUDA_PLUGINS = {"cuda12": "jax-cuda12-plugin", "cuda13": "jax-cuda13-plugin"}
TPU_LIBRARY = "libtpu"


@dataclasses.dataclass(frozen=True)
class Package:
    """One that is required.

    Attributes:
      name: of the distribution, or "python".
      version: that is installed; empty where none is.
      wanted: the bounds, such as ">=0.10.2,<0.12"; empty where any will do.
      required_by: which package says so.
      fits: whether a version is installed and within the bounds.
    """

    name: str
    version: str
    wanted: str
    required_by: str
    fits: bool


def look_at_packages(extras: Iterable[str] = ()) -> tuple[Package, ...]:
    """Python, everything that is required here, and what those in turn miss.

    Args:
      extras: of JAX that this machine needs, such as "tpu"; their packages are checked where they are installed.

    Raises:
      ImportError: `packaging`, which understands bounds, is not installed.
    """
    python, lines = requirements()
    ours = (_python(python), *_rows("scan_jax", lines))
    known = {_plain(package.name) for package in ours}
    beneath = (row for package in ours if package.version for row in _rows(package.name, _requires(package.name)))
    others = [row for row in beneath if not row.fits or (row.required_by, row.name) == ("jax", "jaxlib")]
    added = [row for extra in extras for row in _rows("jax", _requires("jax"), extra) if row.name != "jaxlib"]
    return (*ours, *(row for row in (*others, *filter(_installed, added)) if _plain(row.name) not in known))


def version_of(name: str) -> str:
    """Empty where it is not installed."""
    for candidate in (name, *STAND_INS.get(name, ())):
        try:
            return metadata.version(candidate) or ""
        except metadata.PackageNotFoundError:
            continue
    return ""


def requirements() -> tuple[str, tuple[str, ...]]:
    """Bounds of Python, and a line for each required package: of these sources, else of what was installed."""
    folder = Path(scan_jax.__file__).parents[1]
    project, listed = folder / "pyproject.toml", folder / "requirements.txt"
    if project.is_file() and listed.is_file():  # installed packages leave no pyproject.toml beside them
        python = re.search(r'^requires-python\s*=\s*"(.*)"', project.read_text(encoding="utf-8"), re.MULTILINE)
        lines = (line.partition("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
        return python[1] if python else "", tuple(line for line in lines if line)
    return _python_bounds(), tuple(_requires("scan_jax"))


def wanted_of(name: str) -> str:
    """The bounds here of one required package; empty where it is not required."""
    found = (re.match(rf"{re.escape(name)}\s*([<>=!~][^;]*)", line) for line in requirements()[1])
    return next((match[1].strip() for match in found if match), "")


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


def _installed(package: Package) -> bool:
    return bool(package.version)


def _plain(name: str) -> str:
    """One spelling of ml_dtypes, ML-dtypes and ml.dtypes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(wanted: str) -> Package:
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    return Package("python", version, wanted, "scan_jax", SpecifierSet(wanted).contains(version, prereleases=True))


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _python_bounds() -> str:
    try:
        return metadata.metadata("scan_jax")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        return ""
