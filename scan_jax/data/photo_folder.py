"""Photographs from any folder, at any depth."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.data.api import DataSplits, Photo
from scan_jax.data.decode import read_image, square
from scan_jax.data.files import AnyFile, File, stem, walk
from scan_jax.data.memory import PhotoMemory
from scan_jax.data.split_list import SplitList, split_of
from scan_jax.data.verification import without_broken

log = logging.getLogger(__name__)

# Splits without a text file: those that folders make, and that of `set_aside`.
BY_FOLDER, BY_NAME = "by_folder", "by_name_hash"
LABEL = "_label"  # ends the name of a label map that lies beside its photograph
T = TypeVar("T")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.data` of a folder of photographs.

    Attributes:
      path: the folder.
      size: height and width of the squares, pixels.
      held_out_path: photographs to measure on; without it some of `path` are set aside and never trained on.
      held_out: how many to measure on. Of `path`: at most a tenth, chosen by a hash of the name. Of `held_out_path`:
        evenly spaced over the sorted names, all for 0.
      labels: "none", or "one": every pixel is of class 0, so that methods that take labels can be compared with others
        on photographs without any.
    """

    path: str
    size: int
    held_out_path: str = ""
    held_out: int = 500
    labels: Literal["none", "one"] = "none"


def open_splits(section: Mapping[str, Any]) -> DataSplits:
    """Reads every file once, to know what decodes, and splits the folder.

    Raises:
      UserError: a folder is missing or empty, too many files are broken, or a setting makes no sense.
    """
    settings = bind(section, Settings, "config.data")
    if settings.size <= 0 or settings.held_out < 0:
        raise UserError(f"config.data: size must be positive and held_out not negative, not {settings}")
    train_folder = existing_folder(settings.path, "config.data.path")
    if settings.held_out_path:
        held_out_folder = existing_folder(settings.held_out_path, "config.data.held_out_path")
        held_out = without_broken(_photographs(held_out_folder), held_out_folder)
        train = without_broken(outside(_photographs(train_folder), train_folder, held_out_folder), train_folder)
        held_out = evenly_spaced(held_out, settings.held_out or len(held_out))
    else:
        held_out_folder = train_folder
        train, held_out = set_aside(without_broken(_photographs(train_folder), train_folder), settings.held_out)
    classes = 1 if settings.labels == "one" else 0
    title = file_split(BY_FOLDER if settings.held_out_path else BY_NAME, train, held_out).title
    return DataSplits(
        train=PhotoFolder(f"{train_folder.name}, {title}", train, settings.size, classes),
        held_out=PhotoFolder(f"{held_out_folder.name}, held out, {title}", held_out, settings.size, classes),
    )


class PhotoFolder:
    """A `PhotoSource` over files; decoded squares stay in memory."""

    flip_pairs: tuple[tuple[int, int], ...] = ()

    def __init__(self, name: str, files: Sequence[File], size: int, num_labels: int = 0) -> None:
        """Of `num_labels` 1, every pixel has the label 0."""
        self.name, self.num_labels = name, num_labels
        self.digest = digest(files, str(size))
        self._files = tuple(files)
        self._size = size
        self._memory = PhotoMemory(self._decode)

    def __len__(self) -> int:
        return len(self._files)

    def title(self, index: int) -> str:
        """The file's name within the folder."""
        return self._files[index].name

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`, "image" uint8 [S,S,3] and, where there are labels, "labels" uint8 [S,S]."""
        return self._memory[index]

    def _decode(self, index: int) -> Photo:
        photo = {"image": square(read_image(self._files[index].path), self._size)}  # [S,S,3]
        return photo | {"labels": np.zeros((self._size, self._size), np.uint8)} if self.num_labels else photo


def list_photographs(folder: Path) -> list[File]:
    """The folder's image files at any depth, by relative name; hidden ones are passed over.

    Raises:
      UserError: there is none.
    """
    files = [file for file in walk(folder) if file.path.suffix.lower() in SUFFIXES]
    if not files:
        raise UserError(f"no photographs ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    return files


def _photographs(folder: Path) -> list[File]:
    return without_label_maps(list_photographs(folder))


def without_label_maps(files: Sequence[File]) -> list[File]:
    """The files without each NAME_label.png that lies beside a NAME: nobody wants to train on those as photographs."""
    names = {stem(file.name) for file in files}
    kept = [file for file in files if not _is_label_map(stem(file.name), names)]
    if len(kept) < len(files):
        log.info("passed over %d label maps (NAME%s.png beside NAME)", len(files) - len(kept), LABEL)
    return kept


def _is_label_map(name: str, names: Set[str]) -> bool:
    return name.endswith(LABEL) and name.removesuffix(LABEL) in names


def set_aside(files: Sequence[AnyFile], count: int) -> tuple[list[AnyFile], list[AnyFile]]:
    """Files to train with and at most `count` held-out ones, a tenth of all at most, in the order given.

    A file's place depends on its name's hash, so that files added later move few others.

    Raises:
      UserError: nothing would be held out.
    """
    if count == 0 or len(files) < 2:
        raise UserError(
            f"nothing to measure on: {len(files)} photographs, held_out={count}; "
            "give two or more and held_out of at least 1, or held_out_path"
        )
    by_hash = sorted(files, key=lambda file: hashlib.sha256(f"held out: {file.name}".encode()).digest())
    chosen = {file.name for file in by_hash[: min(count, max(1, len(files) // 10))]}
    return [file for file in files if file.name not in chosen], [file for file in files if file.name in chosen]


def file_split(name: str, train: Sequence[File], held_out: Sequence[File]) -> SplitList:
    """Who is where, by the files' names."""
    return split_of(name, train=(file.name for file in train), test=(file.name for file in held_out))


def evenly_spaced(things: Sequence[T], count: int) -> list[T]:
    """At most `count` of `things`, evenly spaced, the first included."""
    count = min(count, len(things))
    return [things[i * len(things) // count] for i in range(count)]


def outside(files: Sequence[AnyFile], folder: Path, held_out_folder: Path) -> list[AnyFile]:
    """The files of `folder` that do not lie in the folder to measure on as well.

    Raises:
      UserError: nothing is left to train with.
    """
    inner, kept = held_out_folder.resolve(), list(files)
    if inner.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(inner):
        kept = [file for file in files if not file.path.resolve().is_relative_to(inner)]
    if not kept:
        raise UserError(f"all photographs in {folder} are held out as well; give disjoint folders")
    return kept


def existing_folder(path: str, where: str) -> Path:
    """The folder that the setting `where` names.

    Raises:
      UserError: it is not set, or there is no such folder.
    """
    folder = Path(path).expanduser()
    if not path:
        raise UserError(f"{where} is not set; give a folder of photographs with --{where}=FOLDER")
    if not folder.is_dir():
        raise UserError(f"{where}: no folder {path}; give a folder of photographs with --{where}=FOLDER")
    return folder


def digest(files: Iterable[File], settings: str) -> str:
    """SHA-256 (hex) of names, sizes in bytes and order, and of the settings that make pixels of them."""
    hasher = hashlib.sha256(f"{settings}\n".encode())
    for file in files:
        hasher.update(f"{file.name}\t{file.size}\n".encode())
    return hasher.hexdigest()
