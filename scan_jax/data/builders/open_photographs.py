"""Openly licensed photographs out of Debian packages that you fetched: landscapes, reefs, plants, cities, animals."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np

from scan_jax.core.errors import UserError, counted
from scan_jax.core.progress import progress_bar
from scan_jax.data.photo_folder import file_split
from scan_jax.data.preparation.containers import DAMAGED, edj_entry, package_files, rcc_file
from scan_jax.data.preparation.plan import Arrays, Item, Plan, flag
from scan_jax.data.split_list import name_ranges
from scan_jax.images.decode import read_image

PARTS = ("train", "test")
ELSE = "or do with what it has of the listed files: --allow_other_version"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenPhotographs:
    """Openly licensed photographs out of Debian packages that you fetched: landscapes, plants, cities, animals."""

    source: str = flag("the folder of .deb files; without them the message says how to fetch them")
    size: int = flag("the long side of a photograph at most, pixels; larger ones are shrunk", 2048)
    allow_other_version: bool = flag("take what other versions of a package have of the listed files", False)
    allow_missing: int = flag("broken photographs to do without", 0)

    def plan(self) -> Plan:
        """The listed photographs of the packages in the source, all read, none decoded.

        UserError where a package is missing, is not the listed one, is damaged or means harm.
        """
        if not 256 <= self.size <= 8192:
            raise UserError(f"--size must be from 256 to 8192 pixels, not {self.size}")
        packages = read_list()
        files = _find(packages, Path(self.source).expanduser(), self.allow_other_version)
        there: dict[Photograph, bytes] = {}
        for package in progress_bar(packages, desc="reading packages", unit="package"):
            there.update(_read(package, files[package.name]))
        parts = {
            part: [p for package in packages if package.split == part for p in package.photographs] for part in PARTS
        }
        kept = {part: [photo for photo in some if photo in there] for part, some in parts.items()}
        missing = tuple(photo.name for some in parts.values() for photo in some if photo not in there)
        if missing and not self.allow_other_version:
            raise UserError(f"open_photographs: the packages lack {name_ranges(missing)}, which their list has")
        make = partial(_make, most=self.size)
        return Plan(
            dataset="open_photographs",
            config=str(self.size),
            description="Photographs under open licences out of Debian packages; ATTRIBUTION.md has licence and "
            "author.",
            homepage="https://packages.debian.org/bookworm/",
            arrays={"image": (None, None, 3)},
            least_side=min((min(photo.stored(self.size)) for some in kept.values() for photo in some), default=0),
            splits={
                part: [Item(p.name, hashlib.sha256(there[p]).hexdigest(), partial(make, p, there[p])) for p in some]
                for part, some in kept.items()
            },
            split=file_split("whole_packages", kept),
            missing=missing,
            allow_missing=self.allow_missing + len(missing),
            rules=f"size={self.size}",
            found=tuple(_found(packages, there, missing, self.size)),
            notes={"ATTRIBUTION.md": _attribution(packages, there)},
            usage={"name": "prepared", "dataset": f"open_photographs/{self.size}", "size": 256},
        )


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One file of the list, its licence and attribution as the package states them."""

    name: str  # of the record, "krank/level-01"
    path: str  # in the package
    member: str  # path in the container that lies there; empty for a file of its own
    licence: str
    attribution: str
    height: int  # upright, in pixels
    width: int
    halved: bool  # it is too noisy or too soft at its own size

    def stored(self, most: int) -> tuple[int, int]:
        """Height and width of the record, where the long side is `most` at most."""
        long = max(self.height, self.width)
        share = min((long // 2 if self.halved else long), most) / long
        return round(self.height * share), round(self.width * share)


@dataclasses.dataclass(frozen=True)
class Package:
    """A Debian package of the list; `split` is where all its photographs go."""

    name: str
    version: str
    sha256: str
    split: str
    homepage: str
    photographs: tuple[Photograph, ...]
    notice: str = ""

    @property
    def fetched(self) -> str:
        """What apt-get calls it."""
        return f"{self.name}={self.version}"


def read_list() -> tuple[Package, ...]:
    """The packages and photographs that the toolkit knows."""
    text = resources.files("scan_jax.data.builders").joinpath("open_photographs.toml").read_text(encoding="utf-8")
    return tuple(
        Package(**entry, photographs=tuple(_listed(entry["name"], groups)))
        for entry in tomllib.loads(text)["package"]
        if (groups := entry.pop("group"))
    )


def _listed(package: str, groups: Sequence[Mapping[str, Any]]) -> Iterator[Photograph]:
    """The photographs of a package's groups; "3840x2160/2" is a size, to be halved."""
    for group in groups:
        for size, files in group["files"].items():
            width, height = map(int, size.removesuffix("/2").split("x"))
            for file in files:
                path, _, member = f"{group['folder']}/{file}".partition("!")
                yield Photograph(
                    f"{package}/{PurePosixPath(file).stem}",
                    path,
                    member or group.get("member", ""),
                    *(group["licence"], group["attribution"], height, width, size.endswith("/2")),
                )


def _find(packages: Sequence[Package], folder: Path, any_version: bool) -> dict[str, Path]:
    """Each package's file, by name: there, and, unless any version will do, the listed one."""
    if not folder.is_dir():
        raise UserError(f"--source: no folder {folder}; make it, and fetch the packages in it: {_fetch(packages)}")
    there = {package.name: sorted(folder.glob(f"{package.name}_*.deb")) for package in packages}
    absent = [package for package in packages if not there[package.name]]
    if absent:
        names = ", ".join(package.fetched for package in absent)
        raise UserError(f"--source: {folder} lacks {names}; fetch what is missing in it: {_fetch(absent)}")
    files = {package.name: max(there[package.name], key=partial(_is_version, package)) for package in packages}
    for package in packages if not any_version else ():
        file = files[package.name]
        if not _is_version(package, file):
            raise UserError(
                f"{file.name} is another version than {package.version}; fetch that: {_fetch([package])}, {ELSE}"
            )
        try:
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"cannot read {file}: {error.strerror}") from error
        if digest != package.sha256:
            raise UserError(
                f"{file.name} is not the listed package: its SHA-256 is {digest[:12]}..., not "
                f"{package.sha256[:12]}...; fetch it again: {_fetch([package])}, {ELSE}"
            )
    return files


def _is_version(package: Package, file: Path) -> bool:
    return unquote(file.name).split("_")[1] == package.version


def _fetch(packages: Sequence[Package]) -> str:
    return f"apt-get download {' '.join(package.fetched for package in packages)}"


def _read(package: Package, file: Path) -> dict[Photograph, bytes]:
    """The package's photographs, as files of their own."""
    by_path: dict[str, list[Photograph]] = {}
    for photo in package.photographs:
        by_path.setdefault(photo.path, []).append(photo)
    found: dict[Photograph, bytes | None] = {}
    try:
        for path, content in package_files(file, by_path):
            read = rcc_file if path.endswith(".rcc") else edj_entry
            for photo in by_path[path]:  # files of their own, or members of a container
                found[photo] = read(content, photo.member) if photo.member else content
    except (*DAMAGED, OSError) as error:
        raise UserError(
            f"{file.name} is damaged or means harm: {' '.join(str(error).split())}; fetch it again: {_fetch([package])}"
        ) from error
    return {photo: content for photo, content in found.items() if content is not None}


def _make(photo: Photograph, content: bytes, most: int) -> Arrays:
    """The whole photograph, shrunk by averaging areas where it is too large or to be halved."""
    image = read_image(io.BytesIO(content))  # [H,W,3]
    if image.shape[:2] != (photo.height, photo.width):
        raise ValueError(f"{image.shape[1]}x{image.shape[0]} pixels instead of {photo.width}x{photo.height}")
    height, width = photo.stored(most)
    if (height, width) != image.shape[:2]:
        image = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    return {"image": image}  # [h,w,3]


def _found(
    packages: Sequence[Package], there: Mapping[Photograph, bytes], missing: Sequence[str], most: int
) -> Iterator[str]:
    for package in packages:
        sizes = [np.prod(photo.stored(most)) for photo in package.photographs if photo in there]
        told = counted(len(sizes), "photograph")
        yield f"{package.name}: {told}, {sum(sizes) / 1e6:.0f} megapixels, to {package.split}"
    if missing:
        yield f"{len(missing)} listed photographs are not there: {name_ranges(missing)}"


def _attribution(packages: Sequence[Package], there: Mapping[Photograph, bytes]) -> str:
    """Author and licence of each photograph, and the notices that licences want to be kept, in Markdown."""
    lines = ["# Whose photographs these are", "", "Large ones were shrunk; training and measuring crop them."]
    for package in packages:
        lines += ["", f"## {package.fetched}", "", f"To {package.split}. {package.homepage}", ""]
        lines += ["| photograph | licence | attribution | file |", "|---|---|---|---|"]
        for photo in package.photographs:
            path = f"{photo.path}!{photo.member}" if photo.member else photo.path
            lines += [f"| {photo.name} | {photo.licence} | {photo.attribution} | {path} |"] if photo in there else []
        lines += ["", package.notice.strip()] if package.notice else []
    return "\n".join(lines) + "\n"
