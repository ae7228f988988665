"""Which files of a folder are masks, and in what order."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar

SUFFIXES = (".png", ".jpg", ".jpeg")
INDEX = "index.csv"
T = TypeVar("T")
F = TypeVar("F")


def find(folder: Path) -> list[Path]:
    """The folder's mask files, in the order of its `index.csv` or else of their relative paths, at any depth.

    Files that an index names may be absent.
    """
    indexed = [folder / row["file"] for row in index_rows(folder) if row.get("file")]
    return indexed or [file for file in all_files(folder) if file.suffix.lower() in SUFFIXES]


def all_files(folder: Path) -> list[Path]:
    """Every file below `folder` that is not hidden, by relative path."""
    # Other systems leave their own files beside images (._a.png, .thumbnails/).
    return sorted(
        (file for file in folder.rglob("*") if not _is_hidden(file.relative_to(folder)) and file.is_file()),
        key=lambda file: file.relative_to(folder).as_posix(),
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def index_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the folder's `index.csv`; none where it has none, or none with a column `file`.

    Raises:
      UserError: it is no text.
    """
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        with index.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            return list(rows) if "file" in (rows.fieldnames or ()) else []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {index}: {error}; save it as UTF-8 text, or remove it") from error


def read_all(read: Callable[[F], T], files: Sequence[F], title: str) -> list[T]:
    """`read` of each file, in order, on several threads, with progress where it takes longer than a second."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(progress(pool.map(read, files), title, len(files)))


def progress(items: Iterable[T], title: str, total: int) -> Iterable[T]:
    """`items` with their progress, once a second has passed."""
    return progress_bar(items, desc=title, total=total, unit="hole", leave=False, delay=1.0)
