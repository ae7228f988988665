"""Photographs from any folder, at any depth, or from an archive or table of them."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import fnmatch
import hashlib
import json
import logging
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.bounds import Size
from scan_jax.core.errors import UserError, counted
from scan_jax.core.progress import progress_bar
from scan_jax.core.split_folders import evenly_spaced, splits_by_folder
from scan_jax.data.api import DataSplits, Photo, PhotoSource
from scan_jax.data.files import LABEL, AnyFile, File, open_images, stem
from scan_jax.data.split_list import SplitList
from scan_jax.images.decode import DECODE_ERRORS, MAX_PIXELS, opened, reason
from scan_jax.images.square import square

log = logging.getLogger(__name__)

# Splits without a text file: those that folders make, and that of `set_aside`.
BY_FOLDER, BY_NAME = "by_folder", "by_name_hash"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(abc.ABC):
    """What folders of photographs have in common: the `config.data` keys, and how they are split."""

    # the folder, archive or table. Where all of it lies in folders such as `train` and `valid` or `test`, those are the
    # split; where there are both, `valid` is measured on, and `test` is for `held_out_path`
    path: str
    size: Size  # height and width of the squares, pixels
    held_out_path: str = ""  # photographs to measure on; without it some of `path` are set aside and never trained on
    # how many to measure on. Of `path`: at most a tenth, chosen by a hash of the name. Of `held_out_path`, or of a
    # folder of the split: evenly spaced over the sorted names, all for 0
    held_out: int = 500

    def open_splits(self) -> DataSplits:
        """Reads every file once, to know what decodes, and splits the folder.

        UserError where a folder is missing or empty, too many files are broken, or a setting makes no sense.
        """
        folder = held_out_folder = Path(self.path).expanduser()
        files = self.find(self.path, "config.data.path")
        parts = splits_by_folder(files, str(folder), operator.attrgetter("name"))
        train = parts["train"] if parts else files
        held_out = (parts.get("validation") or parts["test"]) if parts else []
        if self.held_out_path:
            held_out_folder = Path(self.held_out_path).expanduser()
            held_out = self.find(self.held_out_path, "config.data.held_out_path")
            train = outside(train, folder, held_out_folder)
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
    def find(self, source: str, where: str) -> list[Any]:
        """The photographs in a source, one `File` or more, which the setting `where` names."""

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
    # which images are photographs, where others are among them: a pattern of names, such as "*.jpg" or "images/*", "*"
    # for all. Without it names and pixels are looked at, and what looks like masks and label maps is refused
    only: str = ""

    def find(self, source: str, where: str) -> list[File]:
        """The photographs, without label maps."""
        return only_photographs(open_images(source, where), self.only, source, "--config.data.only")

    def verify(self, file: File) -> None:
        """Reads the whole file."""
        file.verify()

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
    return open_images(str(folder), "the photographs")


# What people call folders of masks and label maps that lie beside those of photographs.
NO_PHOTOGRAPHS = {
    "mask",
    "masks",
    "label",
    "labels",
    "annotation",
    "annotations",
    "seg",
    "segmentation",
    "segmentations",
}
SAMPLED = 40  # files, of which a tenth with two values are many


def only_photographs(files: Sequence[AnyFile], only: str, where: str, flag: str) -> list[AnyFile]:
    """The photographs among image files: those of the pattern `only`, or without one all but label maps beside them.

    UserError where the pattern fits none, or where there is none and names or pixels look as if others were among them.
    """
    if only:
        chosen = [file for file in files if fnmatch.fnmatchcase(file.name.lower(), only.lower())]
        if not chosen:
            raise UserError(
                f"{flag}={only} is the name of none of {len(files):,} images in {where}, such as {files[0].name}"
            )
        return chosen
    kept = without_label_maps(files)
    if doubt := _by_names(kept) or _by_pixels(kept):
        raise UserError(
            f"{where}: {doubt}; say which are photographs: {flag}='*.jpg', 'images/*' or the like, '*' for all"
        )
    return kept


def _by_names(files: Sequence[File]) -> str:
    """What names say against all being photographs: several files of one name, or folders of masks beside others."""
    stems: dict[str, str] = {}
    for name in sorted((file.name for file in files), key=len):
        base = whole = stem(name)
        while base not in stems and stem(base) != base:  # a.mask.png beside a.jpg
            base = stem(base)
        if base in stems:
            return f"{stems[base]} and {name} have one name, so that one of them may be a mask"
        stems[whole] = name
    masks = [file for file in files if not NO_PHOTOGRAPHS.isdisjoint(PurePosixPath(file.name.lower()).parts[:-1])]
    if not masks or len(masks) == len(files):
        return ""
    return f"{len(masks):,} of {len(files):,} images are masks by their folder, such as {masks[0].name}"


def _by_pixels(files: Sequence[File]) -> str:
    """What some of the files, JPEGs aside, say against all being photographs: many of two values only."""
    some = evenly_spaced(files, SAMPLED)
    two = [file.name for file in some if _has_two_values(file)]
    if len(two) <= len(some) / 10:
        return ""
    return f"{len(two)} of {len(some)} images hold two values only, as masks do, such as {two[0]}"


def _has_two_values(file: File) -> bool:
    """Whether there are two brightnesses; False of what does not decode, which others say."""
    with contextlib.suppress(*DECODE_ERRORS), file.open() as content, opened(content) as image:
        return image.format not in ("JPEG", "MPO") and sum(map(bool, image.convert("L").histogram())) == 2
    return False


def without_label_maps(files: Sequence[AnyFile]) -> list[AnyFile]:
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
    most = max(1, len(files) // 10)
    if count > most:
        told = "%d of %s are set aside to measure on, not %d: a tenth is the most; name others in a part of their own"
        log.info(told, most, counted(len(files), "photograph"), count)
    by_hash = sorted(files, key=lambda file: hashlib.sha256(f"held out: {file.name}".encode()).digest())
    chosen = {file.name for file in by_hash[: min(count, most)]}
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


def digest(files: Iterable[File], settings: str) -> str:
    """SHA-256 (hex) of names, sizes in bytes and order, and of the settings that make pixels of them."""
    lines = "".join(f"{file.name}\t{file.size}\n" for file in files)
    return hashlib.sha256(f"{settings}\n{lines}".encode()).hexdigest()


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
    told = "".join((f"{MAX_PIXELS} visible {rules}", *(file.identity() for file in files)))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "scan_jax" / "verified" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"
