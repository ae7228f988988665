"""Which versions are installed, and whether they lie within what is required: by this package, and by those."""

from __future__ import annotations

import dataclasses
import platform
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import scan_jax

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


def look(extras: Iterable[str] = ()) -> tuple[Package, ...]:
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
