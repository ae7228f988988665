"""Photographs from any folder, at any depth."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import logging
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, ClassVar, Literal, TypeVar

import numpy as np

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.bounds import Size
from scan_jax.core.errors import NotHere, UserError, counted
from scan_jax.core.progress import progress_bar
from scan_jax.core.source_kinds import instead_of_folder, warn_of_left_out
from scan_jax.core.split_folders import evenly_spaced, splits_by_folder
from scan_jax.data.api import DataSplits, Photo, PhotoSource
from scan_jax.data.split_list import SplitList
from scan_jax.images import labels as label_map
from scan_jax.images.decode import DECODE_ERRORS, MAX_PIXELS, SUFFIXES, read_image, reason, verify_image
from scan_jax.images.pairs import list_files
from scan_jax.images.square import square

log = logging.getLogger(__name__)

# Splits without a text file: those that folders make, and that of `set_aside`.
BY_FOLDER, BY_NAME = "by_folder", "by_name_hash"
LABEL = "_label"  # ends the name of a label map that lies beside its photograph


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(abc.ABC):
    """What folders of photographs have in common: the `config.data` keys, and how they are split."""

    # the folder. Where all of it lies in folders such as `train` and `valid` or `test`, those are the split; where
    # there are both, `valid` is measured on, and `test` is for `held_out_path`
    path: str
    size: Size  # height and width of the squares, pixels
    held_out_path: str = ""  # photographs to measure on; without it some of `path` are set aside and never trained on
    # how many to measure on. Of `path`: at most a tenth, chosen by a hash of the name. Of `held_out_path`, or of a
    # folder of the split: evenly spaced over the sorted names, all for 0
    held_out: int = 500
    prepared_by: ClassVar[str] = "photo_folder"  # the command that takes archives and lists

    def open_splits(self) -> DataSplits:
        """Reads every file once, to know what decodes, and splits the folder.

        UserError where a folder is missing or empty, too many files are broken, or a setting makes no sense.
        """
        folder = held_out_folder = existing_folder(self.path, "config.data.path", self.prepared_by)
        files = self.find(folder)
        parts = splits_by_folder(files, str(folder), operator.attrgetter("name"))
        train = parts["train"] if parts else files
        held_out = (parts.get("validation") or parts["test"]) if parts else []
        if self.held_out_path:
            held_out_folder = existing_folder(self.held_out_path, "config.data.held_out_path", self.prepared_by)
            train, held_out = outside(train, folder, held_out_folder), self.find(held_out_folder)
        train, split = without_broken(train, folder, self.verify, self.rules), BY_FOLDER if held_out else BY_NAME
        if held_out:
            held_out = without_broken(held_out, held_out_folder, self.verify, self.rules)
            held_out = evenly_spaced(held_out, self.held_out or len(held_out))
        else:
            train, held_out = set_aside(train, self.held_out)
        title = file_split(split, {"train": train, "test": held_out}).title
        return DataSplits(
            train=self.source(f"{folder.name}, {title}", train),
            held_out=self.source(f"{held_out_folder.name}, held out, {title}", held_out),
        )

    @abc.abstractmethod
    def find(self, folder: Path) -> list[Any]:
        """The photographs in a folder, one `File` or more."""

    @abc.abstractmethod
    def verify(self, file: Any) -> None:
        """Reads the whole of it; raises one of DECODE_ERRORS where it does not decode."""

    @property
    def rules(self) -> str:
        """What `verify` depends on besides the file."""
        return ""

    @abc.abstractmethod
    def source(self, name: str, files: Sequence[Any]) -> PhotoSource:
        """Over the files."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhotoFolder(Folder):
    """`config.data` of a folder of photographs."""

    # "none", or "one": every pixel is of class 0, so that methods that take labels can be compared with others on
    # photographs without any
    labels: Literal["none", "one"] = "none"

    def find(self, folder: Path) -> list[File]:
        """The photographs, without label maps."""
        return without_label_maps(list_photographs(folder))

    def verify(self, file: File) -> None:
        """Reads the whole file."""
        verify_image(file.path)

    def source(self, name: str, files: Sequence[File]) -> PhotoSource:
        """Squares of the files."""
        num_labels = 0 if self.labels == "none" else 1
        return PhotoSource(name, digest(files, str(self.size)), files, self._read, num_labels=num_labels)

    def _read(self, file: File) -> Photo:
        """ "image" uint8 [S,S,3] and, where there are labels, "labels" uint8 [S,S]."""
        photo = {"image": square(file.read_image(), self.size)}  # [S,S,3]
        return photo if self.labels == "none" else photo | {"labels": np.zeros((self.size, self.size), np.uint8)}


def list_photographs(folder: Path) -> list[File]:
    """The folder's image files at any depth, by relative name, without hidden ones; a UserError where there is none."""
    if not (files := only_images(walk(folder), str(folder))):
        raise UserError(f"no photographs ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    return files


def only_images(files: Sequence[File], where: str) -> list[File]:
    """Those that are images by their suffixes; pictures of kinds that are not read are counted in the log."""
    warn_of_left_out((file.name for file in files), SUFFIXES, where)
    return [file for file in files if PurePosixPath(file.name).suffix.lower() in SUFFIXES]


def without_label_maps(files: Sequence[File]) -> list[File]:
    """The files without each NAME_label.png that lies beside a NAME: nobody wants to train on those as photographs."""
    labels = {stem(file.name) + LABEL for file in files}
    kept = [file for file in files if stem(file.name) not in labels]
    if len(kept) < len(files):
        told = counted(len(files) - len(kept), "label map")
        log.info("skipped %s (NAME%s.png beside NAME)", told, LABEL)
    return kept


def set_aside(files: Sequence[AnyFile], count: int) -> tuple[list[AnyFile], list[AnyFile]]:
    """Files to train with and at most `count` held-out ones, a tenth of all at most, in the order given.

    A file's place depends on its name's hash, so that files added later move few others. UserError where nothing would
    be held out.
    """
    if count == 0 or len(files) < 2:
        raise UserError(
            f"nothing to measure on: {counted(len(files), 'photograph')}, held_out={count}; "
            "give two or more and held_out of at least 1, or held_out_path"
        )
    by_hash = sorted(files, key=lambda file: hashlib.sha256(f"held out: {file.name}".encode()).digest())
    chosen = {file.name for file in by_hash[: min(count, max(1, len(files) // 10))]}
    return [file for file in files if file.name not in chosen], [file for file in files if file.name in chosen]


def file_split(name: str, parts: Mapping[str, Iterable[Any]]) -> SplitList:
    """Who is where, by the names of the files in each part."""
    return SplitList(name, {part: tuple(file.name for file in files) for part, files in parts.items()})


def outside(files: Sequence[AnyFile], folder: Path, held_out_folder: Path) -> list[AnyFile]:
    """The files of `folder` that do not lie in the folder to measure on as well; without any, a UserError."""
    inner, kept = held_out_folder.resolve(), list(files)
    if inner.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(inner):
        kept = [file for file in files if not file.path.resolve().is_relative_to(inner)]
    if not kept:
        raise UserError(f"all photographs in {folder} are held out as well; give disjoint folders")
    return kept


def existing_folder(path: str, where: str, builder: str) -> Path:
    """The folder that the setting `where` names; without it, a UserError, which names what prepares other sources."""
    folder = Path(path).expanduser()
    if not path or not folder.is_dir():
        what = f": no folder {path}" if path else " is not set"
        told = instead_of_folder(folder, builder) or f"; give a folder of photographs with --{where}=FOLDER"
        raise NotHere(f"{where}{what}{told}")
    return folder


def digest(files: Iterable[File], settings: str) -> str:
    """SHA-256 (hex) of names, sizes in bytes and order, and of the settings that make pixels of them."""
    lines = "".join(f"{file.name}\t{file.size}\n" for file in files)
    return hashlib.sha256(f"{settings}\n{lines}".encode()).hexdigest()


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
        """The photograph, uint8 RGB [H,W,3], upright; one of DECODE_ERRORS where it is none, cut or absurdly large."""
        with self.open() as opened:
            return read_image(opened)

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


MANY = 500  # files; from here on progress is shown and the result kept


def without_broken(
    files: Sequence[AnyFile], folder: Path, verify: Callable[[AnyFile], None], rules: str
) -> list[AnyFile]:
    """The files of one folder that decode; the others are named and counted in the log.

    `verify` raises one of DECODE_ERRORS for a file that is broken; a UserError of its own is not tolerated once.
    `rules` are what it depends on besides the files; a result is remembered for the same rules only.

    UserError where none decodes, more than 1% do not, or `verify` refuses a file.
    """
    broken = find_broken(files, verify, rules)
    good = [file for file in files if file.name not in broken]
    named = [f"{name} ({reason})" for name, reason in broken.items()]
    if not good:
        raise UserError(f"none of the {len(files)} files in {folder} decodes as an image, such as {named[0]}")
    if len(broken) > 0.01 * len(files):
        raise UserError(
            f"{len(broken)} of {len(files)} files in {folder} do not decode (at most 1% are skipped): "
            f"{'; '.join(named[:3])}; replace or remove them"
        )
    for line in named:
        log.warning("skipped, it does not decode: %s", line)
    log.info("%s, %d broken, in %s", counted(len(good), "photograph"), len(broken), folder)
    return good


def find_broken(files: Sequence[AnyFile], verify: Callable[[AnyFile], None], rules: str) -> dict[str, str]:
    """The names of the files that do not decode, with the reason; large folders are looked up before they are read."""
    if len(files) <= MANY:
        return _decode_all(files, verify)
    memory = _memory(files, rules)
    try:
        return json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        log.info("decoding %d files once, to find broken ones", len(files))
    broken = _decode_all(files, verify)
    try:
        write_atomically(memory, json.dumps(broken).encode())
    except UserError as error:  # which only costs time
        log.info("the list of verified files is not kept: %s", error)
    return broken


def _decode_all(files: Sequence[AnyFile], verify: Callable[[AnyFile], None]) -> dict[str, str]:
    """The reasons, in one line each, by the names of the files that do not decode."""

    def why_broken(file: AnyFile) -> str:
        try:
            verify(file)
        except DECODE_ERRORS as error:
            return reason(error)
        return ""

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        reasons = progress_bar(
            pool.map(why_broken, files), desc="verifying photographs", total=len(files), disable=len(files) <= MANY
        )
        return {file.name: why for file, why in zip(files, reasons) if why}


def _memory(files: Sequence[File], rules: str) -> Path:
    """Where the result for exactly these files, unchanged, under these rules is kept."""
    told = "".join((f"{MAX_PIXELS} {rules}", *(file.identity() for file in files)))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "scan_jax" / "verified" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"
