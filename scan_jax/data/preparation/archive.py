"""What a user has on disk, as files with names: a folder, a zip archive, a folder of those, or a list of paths."""

from __future__ import annotations

import dataclasses
import io
import posixpath
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from scan_jax.core.errors import UserError, counted
from scan_jax.core.source_kinds import LISTS, TARS
from scan_jax.data.photo_folder import File, file_at, only_images, walk
from scan_jax.images.decode import SUFFIXES

MAX_BYTES = 2**29  # of one member, unpacked: a bomb says so in the archive's index


@dataclasses.dataclass(frozen=True)
class ZipMember(File):
    """A file in a zip archive, never unpacked to disk."""

    # shared among the members; reading is safe from several threads
    archive: zipfile.ZipFile = dataclasses.field(compare=False, repr=False)
    member: str = ""  # its name in there

    def identity(self) -> str:
        """By checksum: an archive that is copied or downloaded again is the same."""
        return f"{self.name}\t{self.size}\t{self.changed}\n"

    def open(self) -> BinaryIO:
        """The unpacked bytes; an OSError where they do not match their checksum."""
        try:
            return io.BytesIO(self.archive.read(self.member))
        except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise OSError(f"{self.member} in {self.archive.filename} cannot be unpacked: {error}") from error


def open_source(source: str) -> list[File]:
    """Every file of a source, sorted by name; a UserError where there is none, it is damaged, or an archive means harm.

    A source is a folder; a zip archive; a folder that has zip archives and no photographs, whose members are then named
    "archive/member"; or a text file with a path in each line, relative to it.
    """
    path = Path(source).expanduser()
    if not source or not path.exists():
        raise UserError(f"--source: nothing at {source!r}; give a folder, a zip archive, or a text file of paths")
    if path.is_dir():
        files = walk(path)
        photographs = any(file.path.suffix.lower() in SUFFIXES for file in files)
        archives = [file.path for file in files if file.path.suffix.lower() == ".zip"]
        return files if photographs else files + [f for a in archives for f in _members(a, f"{a.stem}/")]
    if path.suffix.lower() == ".zip":
        return _members(path, "")
    if path.suffix.lower() in LISTS:
        return _listed(path)
    if path.suffix.lower() in TARS:
        raise UserError(f"--source: {path.name} cannot be read piece by piece; unpack it and give the folder")
    raise UserError(f"--source: {path.name} is neither a folder, a .zip nor a list ({', '.join(LISTS)})")


def open_images(source: str) -> list[File]:
    """The images of a source, by their suffixes, sorted by name; see `open_source` for errors."""
    return only_images(open_source(source), source)


def _members(path: Path, prefix: str) -> list[File]:
    """The archive's files; folders, and what macOS adds, are skipped."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise UserError(
            f"{path} is damaged or not wholly there ({size:,} bytes: {error}); download it again"
        ) from error
    files: dict[str, File] = {}  # of two members of one name the last counts, as unpacking has it
    for info in archive.infolist():
        _refuse_harm(info, path)
        parts = PurePosixPath(info.filename).parts
        if not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in parts):
            name = prefix + info.filename
            files[name] = ZipMember(name, path / info.filename, info.file_size, info.CRC, archive, info.filename)
    return [files[name] for name in sorted(files)]


def _refuse_harm(info: zipfile.ZipInfo, path: Path) -> None:
    """Refuses names that lead out of the archive, and members that would fill the memory."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    if ".." in parts or info.filename.startswith(("/", "\\")) or ":" in info.filename.split("/")[0]:
        raise UserError(f"{path} has a member with the name {info.filename!r}, which leads out of it; do not trust it")
    if info.file_size > MAX_BYTES:
        raise UserError(
            f"{path}: {info.filename} claims {info.file_size:,} bytes unpacked, more than the {MAX_BYTES:,} that are "
            "read; do not trust it"
        )


def _listed(path: Path) -> list[File]:
    """The files that a text file names, one in each line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"--source: cannot read the list {path}: {error}; save it as UTF-8 text") from error
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    absent = [name for name in names if not (path.parent / name).is_file()]
    if absent or not names:
        gone = (
            f"{counted(len(absent), 'file that is', 'files that are')} not there, such as {absent[0]}" if absent else ""
        )
        what = f"names {gone}" if absent else "is empty"
        raise UserError(f"--source: the list {path} {what}; paths are relative to the list")
    files = {posixpath.normpath(name).lstrip("/"): path.parent / name for name in names}
    if len(files) < len(names):
        raise UserError(
            f"--source: the list {path} names {counted(len(files), 'file')} in {len(names)} lines; name each once"
        )
    return [file_at(files[name], name) for name in sorted(files)]
