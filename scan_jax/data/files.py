"""Files of a folder by name: what they are called, and whether they have changed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a folder.

    Attributes:
      name: relative to the folder, with forward slashes.
      path: where it lies.
      size: bytes.
      changed: nanoseconds.
    """

    name: str
    path: Path
    size: int
    changed: int

    def identity(self) -> str:
        """A line that is another one where the file has changed."""
        return f"{self.path}\t{self.size}\t{self.changed}\n"

    def open(self) -> BinaryIO:
        """The file's bytes."""
        return self.path.open("rb")


AnyFile = TypeVar("AnyFile", bound=File)


def walk(folder: Path) -> list[File]:
    """Every file of the folder that is not hidden, sorted by name; links to folders are followed, each folder once."""
    return sorted((file_at(path, path.relative_to(folder).as_posix()) for path in _walk(folder)), key=_name)


def file_at(path: Path, name: str) -> File:
    """The file at `path`, called `name`; a dangling link has no bytes: it is broken, not fatal."""
    status = path.stat() if path.exists() else os.stat_result((0,) * 10)
    return File(name, path, status.st_size, status.st_mtime_ns)


def stem(name: str) -> str:
    """ "a/b.jpg" -> "a/b"."""
    return PurePosixPath(name).with_suffix("").as_posix()


def _walk(folder: Path) -> Iterator[Path]:
    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real not in seen:
            yield from (Path(root, name) for name in names if not name.startswith("."))
        seen.add(real)


def _name(file: File) -> str:
    return file.name
