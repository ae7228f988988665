"""The folder that travels to a machine without network: packages that it lacks, and runs and data that it needs."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from scan_jax.core.errors import UserError
from scan_jax.doctor.machine import requirements

log = logging.getLogger(__name__)
MOST = 60_000_000  # bytes of all of it
# What an image for JAX on CUDA is taken to have, with all that these need; OpenCV and Arrow alone fill the folder.
IN_THE_IMAGE = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "packaging", "opencv-python-headless"),
    *("pyarrow", "pillow", "matplotlib", "scikit-image", "scikit-learn", "h5py", "jinja2"),
)
WHEELS, CARRIED, README = "wheels", "carried", "README.md"
SAYS = """# What a machine without network needs for scan_jax

    pip install --no-index --no-deps {wheels}/*.whl
    python -m scan_jax.device_check --minutes=10 --out=DIR

from a checkout of scan_jax. The machine is taken to have {there}.
Photographs, holes and networks of the check are drawn there. {carried}
"""


def pack(folder: Path, carried: Sequence[Path], python: str) -> None:
    """Fills `folder`: wheels of what is installed here and not in an image for JAX, and copies of `carried`.

    `python` is the version there, such as "3.12"; empty for this one.
    UserError where it is not empty, a wheel cannot be fetched, something to carry is not there, or all of it is larger
    than `MOST` bytes, with the largest pieces named; the folder is then gone.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name another folder with --pack")
    for one in carried:
        if not one.exists():
            raise UserError(f"there is no {one} to carry")
    try:
        wheels = folder / WHEELS
        wheels.mkdir(parents=True)
        _fetch(wanted(), wheels, python)
        for one in carried:
            _copy(one, folder / CARRIED / one.name)
        told = f"What was carried lies in {CARRIED}/." if carried else ""
        (folder / README).write_text(
            SAYS.format(wheels=wheels.name, carried=told, there=", ".join(IN_THE_IMAGE)), encoding="utf-8"
        )
        _require_small(folder)
    except UserError:
        shutil.rmtree(folder)
        raise
    log.info("%s has %.1f MB in %d wheels and %d folders", folder, _size(folder) / 1e6, *_counts(folder))


def wanted() -> dict[str, str]:
    """Version by name: what is required here, with all that it needs, less what the image has."""
    ours = (Requirement(line).name for line in requirements()[1])
    return {name: metadata.version(name) for name in sorted(closure(ours) - closure(IN_THE_IMAGE))}


def closure(names: Iterable[str]) -> set[str]:
    """The packages and all that they need, as far as installed here, by their plain names."""
    found: set[str] = set()
    todo = [plain(name) for name in names]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        try:
            needs = [Requirement(line) for line in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        todo += [plain(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def plain(name: str) -> str:
    """One spelling of each name, as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _fetch(versions: dict[str, str], wheels: Path, python: str) -> None:
    """By pip, from wherever it fetches here: wheels for that Python, or made here where there is only source."""
    log.info("fetching %d packages: %s", len(versions), " ".join(versions))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    only = ["--only-binary=:all:", *([f"--python-version={python}"] if python else [])]
    for name, version in versions.items():
        pin = f"{name}=={version}"
        for how in (["download", f"--dest={wheels}", *only], ["wheel", f"--wheel-dir={wheels}"]):
            done = subprocess.run([*pip, *how, "--no-deps", pin], capture_output=True, text=True)
            if done.returncode == 0:
                break
        else:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
                f"exit code {done.returncode}"
            ]
            raise UserError(f"pip fetched no wheel of {pin}: {lines[-1]}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _counts(folder: Path) -> tuple[int, int]:
    return len(list((folder / WHEELS).iterdir())), sum(1 for _ in (folder / CARRIED).glob("*"))


def _require_small(folder: Path) -> None:
    if _size(folder) > MOST:
        files = sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: -file.stat().st_size)
        largest = ", ".join(f"{file.relative_to(folder)} {file.stat().st_size / 1e6:.1f} MB" for file in files[:3])
        raise UserError(
            f"that would be {_size(folder) / 1e6:.0f} MB, and at most {MOST / 1e6:.0f} travel; the largest: {largest}; "
            "carry less"
        )
