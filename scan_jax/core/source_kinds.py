"""In what photographs and masks are handed around besides folders, by suffix: what is read, and what to do instead."""

from __future__ import annotations

from pathlib import Path

LISTS = (".txt", ".flist", ".lst")  # a path in each line
TARS = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


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
