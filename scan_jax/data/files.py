"""What a user has on disk, as files with names: a folder, a list of paths, or what lies in archives and databases."""

from __future__ import annotations

import abc
import dataclasses
import functools
import io
import os
import pkgutil
import posixpath
import re
import tarfile
import threading
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, ClassVar, NamedTuple, TypeVar

import numpy as np

from scan_jax.core.errors import NotHere, UserError, counted
from scan_jax.core.source_kinds import LISTS, TARS, by_kind, warn_of_left_out
from scan_jax.images import labels as label_map
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, read_image, reason, verify_image
from scan_jax.images.pairs import list_files

MAX_BYTES = 2**29  # of one member, unpacked: a bomb says so in the archive's index
# By suffix, who reads what is no folder; those of `databases` want packages of `scan_jax[containers]`.
CONTAINERS = {
    ".zip": "scan_jax.data.files:Zip",
    ".tar": "scan_jax.data.files:Tar",
    ".parquet": "scan_jax.data.databases:Table",
    ".arrow": "scan_jax.data.databases:Table",
    ".tfrecord": "scan_jax.data.databases:TFRecords",
    ".tfrecords": "scan_jax.data.databases:TFRecords",
    ".mdb": "scan_jax.data.databases:Lmdb",
}
LABEL = "_label"  # ends the name of a label map that lies beside its photograph
LABEL_ENDING = f"{LABEL}.png"
KINDS = f"a folder, a list ({', '.join(LISTS)}) or one of {', '.join(CONTAINERS)}"


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a folder."""

    name: str  # relative to the folder, with forward slashes
    path: Path  # where it lies
    size: int  # bytes
    changed: int  # when, nanoseconds

    def identity(self) -> str:
        """A line that is another one where the file has changed."""
        return f"{self.path}\t{self.size}\t{self.changed}\n"

    def open(self) -> BinaryIO:
        """The file's bytes."""
        return self.path.open("rb")

    def read_image(self) -> np.ndarray:
        """The photograph to train with, uint8 RGB [H,W,3], upright; see `decode.read_image` for what is refused."""
        with self.open() as opened:
            return read_image(opened, to_train=True)

    def verify(self) -> tuple[int, int]:
        """Reads all of it without the pixels: the photograph's height and width; refuses as `read_image` does."""
        with self.open() as opened:
            return verify_image(opened, to_train=True)

    def read_labels(self) -> np.ndarray:
        """The label map, int32 [H,W], upright.

        UserError where it has colours; OSError, which names it, where it is truncated or no image.
        """
        try:
            with self.open() as opened:
                return label_map.read_file(opened, self.name)
        except DECODE_ERRORS as error:
            raise OSError(f"its label map {self.name}: {reason(error)}") from error


AnyFile = TypeVar("AnyFile", bound=File)


class Entry(NamedTuple):
    """A file in a container, as its index has it."""

    name: str
    size: int  # bytes
    checksum: int  # or whatever else there tells that it has changed, 0 for nothing
    place: Any  # how the container finds it


class Container(abc.ABC):
    """A file that holds others, which are read from where they lie, by several threads at a time.

    Worker processes get its path, and open it again.
    """

    # Whether containers beside each other, of equal names but for digits, are one that was cut into shards
    sharded: ClassVar[bool] = True
    rows: ClassVar[bool] = False  # whether it is a table, in which names may repeat

    def __init__(self, path: Path) -> None:
        self.path = path

    @abc.abstractmethod
    def open(self) -> Any:
        """What it is read by, `self.opened`."""

    @abc.abstractmethod
    def entries(self) -> Iterable[Entry]:
        """Its files in order; a UserError where the container is damaged or means harm."""

    @abc.abstractmethod
    def read(self, place: Any) -> bytes:
        """A file's bytes; an OSError where they are not those that were stored."""

    @classmethod
    def chosen(cls, shards: Sequence[Path]) -> Sequence[Path]:
        """Those that are read, of containers of equal names but for digits."""
        return shards

    def damaged(self, error: BaseException) -> UserError:
        """What is to be said of a container whose index cannot be read."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        return UserError(
            f"{self.path} is damaged or not wholly there ({size:,} bytes: {reason(error)}); download it again"
        )

    def takes(self, name: str, size: int) -> bool:
        """Whether a member counts: not what is hidden, and what macOS adds.

        UserError for a name that leads out of the container, and for a size that would fill the memory.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or ":" in name.split("/")[0]:
            raise UserError(f"{self.path} has a member with the name {name!r}, which leads out of it; do not trust it")
        if size > MAX_BYTES:
            raise UserError(
                f"{self.path}: {name} claims {size:,} bytes unpacked, more than the {MAX_BYTES:,} that are read; do "
                "not trust it"
            )
        return not any(part.startswith((".", "__MACOSX")) for part in parts)

    @functools.cached_property
    def opened(self) -> Any:
        """What it is read by."""
        with _OPENING:  # LMDB would not have it twice
            return self.__dict__.get("opened") or self.open()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is open."""
        return {key: value for key, value in self.__dict__.items() if key != "opened"}


_OPENING = threading.RLock()


@dataclasses.dataclass(frozen=True)
class Member(File):
    """A file in a container, never unpacked to disk."""

    container: Container = dataclasses.field(compare=False, repr=False)
    place: Any = None  # where it is in there

    def identity(self) -> str:
        """By checksum: a container that is copied or downloaded again is the same."""
        return f"{self.name}\t{self.size}\t{self.changed}\n"

    def open(self) -> BinaryIO:
        """The bytes; an OSError where they are not those that were stored."""
        return io.BytesIO(self.container.read(self.place))


def open_source(source: str, where: str = "--source") -> list[File]:
    """Every file of a source, sorted by name; a UserError where there is none, it is damaged, or an archive means harm.

    A source is a folder; a container, of CONTAINERS; a folder that has containers and no photographs; or a text file
    with a path in each line, relative to it. Where a folder has several containers, members are named
    "container/member", unless the containers are shards of one. `where` is the setting that names it.
    """
    path = Path(source).expanduser()
    if not source:
        raise NotHere(f"{where} is not set; give {KINDS} with --{where.lstrip('-')}=SOURCE")
    if not path.exists():
        raise NotHere(f"{where}: nothing at {source!r}; give {KINDS}")
    if path.is_dir():
        files = walk(path)
        if any(file.path.suffix.lower() in SUFFIXES for file in files):
            return files
        return [*files, *_members([file.path for file in files if _is_container(file.path)], path)]
    if path.suffix.lower() in CONTAINERS:
        return _members([path], path)
    if path.suffix.lower() in LISTS:
        return _listed(path, where)
    if path.suffix.lower() in TARS:
        raise UserError(f"{where}: {path.name} cannot be read piece by piece: unpack it and give the folder")
    if path.suffix.lower() == ".json":
        told = f"draw holes from them: python -m scan_jax prepare holes --from={path} --images=FOLDER --out=HOLES"
        raise UserError(f"{where}: {path.name} is no image, but may have annotations; {told}")
    raise UserError(f"{where}: {path.name} is not {KINDS}")


def open_images(source: str, where: str = "--source") -> list[File]:
    """The images of a source, by their suffixes, sorted by name; a UserError as of `open_source`, and for none."""
    files = open_source(source, where)
    if images := only_images(files, source):
        return images
    there = f"; there: {by_kind(file.name for file in files)}" if files else ""
    raise UserError(f"{where}: no images ({', '.join(SUFFIXES)}) in {source}{there}")


def _is_container(path: Path) -> bool:
    """By its suffix; LMDB's lock is none, nor is what `datasets` computed from its tables."""
    return path.suffix.lower() in CONTAINERS and path.name != "lock.mdb" and not path.match("cache-*.arrow")


def only_images(files: Sequence[AnyFile], where: str) -> list[AnyFile]:
    """Those that are images by their suffixes; others are counted in the log."""
    opened = CONTAINERS if any(isinstance(file, Member) for file in files) else ()
    warn_of_left_out((file.name for file in files), (*SUFFIXES, *opened), where)
    return [file for file in files if PurePosixPath(file.name).suffix.lower() in SUFFIXES]


def walk(folder: Path) -> list[File]:
    """Every file of the folder that is not hidden, sorted by name; links to folders are followed, each folder once."""
    return [file_at(path, name) for name, path in list_files(folder, follow_links=True).items()]


def file_at(path: Path, name: str) -> File:
    """The file at `path`, called `name`; a dangling link has no bytes: it is broken, not fatal."""
    status = path.stat() if path.exists() else os.stat_result((0,) * 10)
    return File(name, path, status.st_size, status.st_mtime_ns)


def stem(name: str) -> str:
    """ "a/b.jpg" -> "a/b"."""
    return PurePosixPath(name).with_suffix("").as_posix()


def _members(paths: Sequence[Path], source: Path) -> list[File]:
    """The files in containers at `paths`, all below `source` or that itself, sorted by name."""
    groups: dict[str, list[Path]] = {}  # the shards of each
    for path in paths:
        relative = path.relative_to(source).as_posix()
        groups.setdefault(re.sub(r"\d+(?=[^/]*$)", "#", relative), []).append(path)
    found: dict[str, Member] = {}
    for group, shards in groups.items():
        kind = pkgutil.resolve_name(CONTAINERS[shards[0].suffix.lower()])
        title = re.sub(r"[-_.]*(#[^/]*|\.\w+)$", "", group, count=1).rstrip("/")  # "train" of train-#-of-#.parquet
        prefix = f"{title}/" if title and len(groups) > 1 else ""
        for name, container, entry in _named([kind(path) for path in kind.chosen(shards)]):
            name = (prefix if kind.sharded or container.path == source else f"{container.path.stem}/") + name
            if (other := found.get(name)) and other.container is not container:
                raise UserError(
                    f"{other.container.path} and {container.path} both have {name}; give one of them, for in shards of "
                    "one set each name is there once"
                )
            found[name] = Member(name, container.path / name, entry.size, entry.checksum, container, entry.place)
    return [found[name] for name in sorted(found)]


def _named(shards: Sequence[Container]) -> Iterator[tuple[str, Container, Entry]]:
    """Everything in the shards of one set; by number where it has no name, or where rows of tables repeat theirs."""
    entries = [(shard, entry) for shard in sorted(shards, key=_by_numbers) for entry in shard.entries()]
    unique = len({entry.name for _, entry in entries}) == len(entries)
    number = -1
    for shard, entry in entries:
        name, is_label = entry.name, entry.name.endswith(LABEL_ENDING)
        if name.startswith(".") or (shard.rows and not unique):
            number += not is_label  # which belongs to the photograph before it
            name = f"{number:08d}{LABEL_ENDING if is_label else PurePosixPath(f'a{name}').suffix}"
        yield name, shard, entry


def _by_numbers(shard: Container) -> list[Any]:
    """A key that sorts part-2 before part-10."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", str(shard.path))]


class Zip(Container):
    """A zip archive."""

    sharded = False

    def open(self) -> zipfile.ZipFile:
        """Its index, in which reading is safe from several threads."""
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise self.damaged(error) from error

    def entries(self) -> Iterator[Entry]:
        """Its files; of two members of one name the last counts, as unpacking has it."""
        for info in self.opened.infolist():
            if self.takes(info.filename, info.file_size) and not info.is_dir():
                yield Entry(info.filename, info.file_size, info.CRC, info.filename)

    def read(self, place: str) -> bytes:
        """The unpacked bytes, held against their checksum."""
        try:
            return self.opened.read(place)
        except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise OSError(f"{place} in {self.path} cannot be unpacked: {error}") from error


class Flat(Container):
    """A file in which others lie as they are, at a place and of a length."""

    def open(self) -> int:
        """The file's descriptor, which any thread reads at any place."""
        descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def read(self, place: tuple[int, int]) -> bytes:
        """The bytes from that start, of that length."""
        content = os.pread(self.opened, place[1], place[0])
        if len(content) < place[1]:
            raise OSError(f"{self.path} ends before it")
        return content


class Tar(Flat):
    """A tar that is not compressed, such as a shard of WebDataset."""

    def entries(self) -> Iterator[Entry]:
        """Its files; what links say is left alone."""
        changed = self.path.stat().st_mtime_ns  # a tar has no checksums
        try:
            with tarfile.open(self.path, "r:") as archive:
                for info in archive:
                    if self.takes(info.name, info.size) and info.isreg() and not info.issparse():
                        yield Entry(posixpath.normpath(info.name), info.size, changed, (info.offset_data, info.size))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise self.damaged(error) from error


def _listed(path: Path, where: str) -> list[File]:
    """The files that a text file names, one in each line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: cannot read the list {path}: {error}; save it as UTF-8 text") from error
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    absent = [name for name in names if not (path.parent / name).is_file()]
    if absent or not names:
        gone = (
            f"{counted(len(absent), 'file that is', 'files that are')} not there, such as {absent[0]}" if absent else ""
        )
        what = f"names {gone}" if absent else "is empty"
        raise UserError(f"{where}: the list {path} {what}; paths are relative to the list")
    files = {posixpath.normpath(name).lstrip("/"): path.parent / name for name in names}
    if len(files) < len(names):
        raise UserError(
            f"{where}: the list {path} names {counted(len(files), 'file')} in {len(names)} lines; name each once"
        )
    return [file_at(files[name], name) for name in sorted(files)]
