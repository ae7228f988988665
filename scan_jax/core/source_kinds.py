"""In what photographs and masks are handed around besides folders of images, and what to do with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from scan_jax.core.errors import counted

log = logging.getLogger(__name__)

LISTS = (".txt", ".flist", ".lst")  # a path in each line
TARS = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# Newer formats, those of cameras, and of editors, of which some may be read one day.
OTHER_PICTURES = (
    *(".jpe", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pnm", ".tga", ".exr", ".hdr", ".kra", ".ora", ".xcf"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".svg", ".apng"),
)


def instead_of_folder(path: Path, builder: str) -> str:
    """The end of a message that a folder is wanted, where `path` is a file that `scan_jax prepare BUILDER` takes."""
    prepare = f"python -m scan_jax prepare {builder} --source="
    if path.suffix.lower() in TARS and path.is_file():
        return f"; it is an archive: unpack it and give the folder, or make that ready once: {prepare}FOLDER"
    kind = {".zip": "an archive", **dict.fromkeys(LISTS, "a list")}.get(path.suffix.lower(), "")
    return f"; it is {kind}, make it ready once: {prepare}{path}" if kind and path.is_file() else ""


def warn_of_left_out(names: Iterable[str], read: Collection[str], where: str) -> None:
    """Counts in the log, by kind, the files among the names of other kinds than those `read`, which are suffixes.

    Pictures among them make it a warning.
    """
    left_out = [name for name in names if Path(name).suffix.lower() not in read]
    pictures = [name for name in left_out if Path(name).suffix.lower() in OTHER_PICTURES]
    if pictures:
        told = (counted(len(pictures), "picture"), where, by_kind(pictures), ", ".join(pictures[:3]))
        log.warning("left out %s in %s of kinds that are not read here: %s, such as %s; convert them to png", *told)
    elif left_out:
        log.info("left out %s in %s: %s", counted(len(left_out), "file"), where, by_kind(left_out))


def by_kind(names: Iterable[str]) -> str:
    """How many there are of each suffix: "40 .json, 2 .txt"."""
    kinds = Counter(Path(name).suffix.lower() or "without a suffix" for name in names)
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
