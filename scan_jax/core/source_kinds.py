"""In what photographs and masks are handed around besides folders, by suffix: what is read, and what to do instead."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

log = logging.getLogger(__name__)

LISTS = (".txt", ".flist", ".lst")  # a path in each line
TARS = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# Pictures, some of which one version of the toolkit or another reads: newer formats, those of cameras, and of editors.
OTHER_PICTURES = (
    *(".heic", ".heif", ".jxl", ".jpe", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pnm", ".tga", ".exr", ".hdr"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".psd", ".svg", ".apng"),
)


def instead_of_folder(path: Path, builder: str) -> str:
    """What to do with a file where a folder is wanted, as the end of a message; empty where there is no file.

    `builder` is the command of `scan_jax prepare` that takes such a source.
    """
    if not path.is_file():
        return ""
    prepare = f"python -m scan_jax prepare {builder} --source="
    if path.suffix.lower() in TARS:
        return f"; it is an archive: unpack it and give the folder, or make that ready once: {prepare}FOLDER"
    kind = {".zip": "an archive", **dict.fromkeys(LISTS, "a list")}.get(path.suffix.lower())
    return f"; it is {kind}, make it ready once: {prepare}{path}" if kind else "; it is a file"


def warn_of_left_out(names: Iterable[str], read: Collection[str], where: str) -> None:
    """Counts in the log the pictures among the names that are of other kinds than those `read`, which are suffixes."""
    suffixes = {name: Path(name).suffix.lower() for name in names}
    left_out = {name: kind for name, kind in suffixes.items() if kind in OTHER_PICTURES and kind not in read}
    if left_out:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in Counter(left_out.values()).most_common())
        log.warning(
            "left out %d pictures in %s of kinds that are not read from folders (%s), such as %s; convert them to png",
            *(len(left_out), where, kinds, next(iter(left_out))),
        )
