"""What one mask file tells of itself, before anyone decides what its white means."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.images.decode import DECODE_ERRORS, reason
from scan_jax.images.hole import binarise, read_grey, resize_nearest
from scan_jax.images.pairs import list_images

PIECES_SIDE = 128  # pixels: pieces are counted at this size, so that specks do not count


@dataclasses.dataclass(frozen=True)
class MaskFile:
    """A file that could be read; shares are of its pixels.

    Attributes:
      file: where it lies.
      height: in pixels.
      width: in pixels.
      white: share above 127.
      above_zero: share above 0, which other programs take for white.
      grey: share that is neither 0 nor 255.
      frame: share of white among the outermost pixels.
      white_pieces: connected white regions.
      black_pieces: connected black regions.
      pixels: a hash of size and brightness: the same, the same picture.
    """

    file: Path
    height: int
    width: int
    white: float
    above_zero: float
    grey: float
    frame: float
    white_pieces: int
    black_pieces: int
    pixels: str

    @property
    def has_both(self) -> bool:
        """Neither all white nor all black."""
        return 0.0 < self.white < 1.0

    def ratio(self, hole_color: str) -> float:
        """The hole's share where its colour is "white" or "black"."""
        return self.white if hole_color == "white" else 1.0 - self.white


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, and why, in one line."""

    file: Path
    reason: str


def measure(file: Path) -> MaskFile | Unreadable:
    """Reads one file."""
    try:
        grey = read_grey(file)  # [H,W]
    except DECODE_ERRORS as error:
        return Unreadable(file, reason(error))
    white = binarise(grey)  # [H,W]
    small = binarise(resize_nearest(grey, PIECES_SIDE)).astype(np.uint8)
    height, width = grey.shape
    return MaskFile(
        file=file,
        height=height,
        width=width,
        white=np.count_nonzero(white) / white.size,
        above_zero=cv2.countNonZero(grey) / grey.size,
        grey=np.count_nonzero((grey != 0) & (grey != 255)) / grey.size,
        frame=float(np.concatenate([white[0], white[-1], white[1:-1, 0], white[1:-1, -1]]).mean()),
        white_pieces=cv2.connectedComponents(small)[0] - 1,
        black_pieces=cv2.connectedComponents(1 - small)[0] - 1,
        pixels=hashlib.sha256(f"{height} {width} ".encode() + np.ascontiguousarray(grey).tobytes()).hexdigest(),
    )


INDEX = "index.csv"
T = TypeVar("T")
F = TypeVar("F")


def find(folder: Path) -> list[Path]:
    """The folder's mask files, in the order of its `index.csv` or else of their relative paths, at any depth.

    Files that an index names may be absent.
    """
    indexed = [folder / row["file"] for row in index_rows(folder) if row.get("file")]
    return indexed or [file for file in list_images(folder).values() if file.is_file()]


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
