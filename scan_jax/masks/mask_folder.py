"""Holes from a folder of mask images, such as the irregular masks of partial convolutions (Liu et al. 2018)."""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from scan_jax.errors import UserError
from scan_jax.masks import hole_image
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, hole_ratio
from scan_jax.settings import bind

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg")
INDEX = "index.csv"


@dataclasses.dataclass(frozen=True)
class Settings:
    """`config.holes` of a mask folder.

    Attributes:
      path: the folder; an `index.csv` in it with a column `file` names the files and their order.
      ratio: (low, high]; files outside it, at the size asked for, are left out.
      held_out_path: masks to measure on; without it every second file of `path` is held out.
      hole_color: "white" or "black".
    """

    path: str
    ratio: tuple[float, float] = (0.1, 0.6)
    held_out_path: str = ""
    hole_color: str = "white"


def open_splits(section: Mapping[str, Any]) -> HoleSplits:
    """The folder's even rows (0, 2, 4, ...) to train with, its odd ones held out unless `held_out_path` gives others.

    Raises:
      UserError: a folder is missing or has too few masks, or a setting makes no sense.
    """
    settings = bind(section, Settings, "config.holes")
    hole_image.check_color(settings.hole_color, "config.holes.hole_color")
    train = list_masks(settings.path, "config.holes.path")
    if settings.held_out_path:
        held_out = list_masks(settings.held_out_path, "config.holes.held_out_path")
    else:
        train, held_out = train[0::2], train[1::2]
    if not held_out:
        raise UserError(f"{settings.path} has a single mask, but one must be held out; add masks or set held_out_path")
    limits, color = Bucket(*settings.ratio), settings.hole_color
    log.info("%d masks to train with, %d held out, from %s", len(train), len(held_out), settings.path)
    return HoleSplits(
        train=MaskFolder(train, limits, color, turn_at_random),
        held_out=MaskFolder(held_out, limits, color, keep_upright),
    )


def list_masks(path: str, where: str) -> list[Path]:
    """The folder's mask files, in the order of its `index.csv` or else of their relative paths.

    Raises:
      UserError: there is no such folder, it has no mask, or its index names a file that is not there.
    """
    folder = Path(path).expanduser()
    if not path or not folder.is_dir():
        raise UserError(f"{where}: no folder {path!r}; give a folder of mask images ({', '.join(SUFFIXES)})")
    files = _indexed(folder) or sorted(
        (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")),
        key=lambda file: file.relative_to(folder).as_posix(),
    )
    if not files:
        raise UserError(f"{where}: no mask images ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    return files


def _indexed(folder: Path) -> list[Path]:
    """The files of the folder's index, or none where it has no index with a column `file`."""
    index = folder / INDEX
    if not index.is_file():
        return []
    with index.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        if "file" not in (rows.fieldnames or ()):
            return []
        files = [folder / row["file"] for row in rows if row["file"]]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise UserError(f"{index} names {len(absent)} files that are not there, such as {absent[0]}; correct the index")
    return files


def turn_at_random(rng: np.random.Generator, hole: np.ndarray) -> np.ndarray:
    """One of the eight flips and quarter rotations of `hole` [S,S]."""
    quarter_turns, flip = divmod(int(rng.integers(8)), 2)
    hole = np.rot90(hole, quarter_turns)
    return np.ascontiguousarray(hole[:, ::-1] if flip else hole)


def keep_upright(rng: np.random.Generator, hole: np.ndarray) -> np.ndarray:
    """`hole` as it is."""
    del rng
    return hole


@dataclasses.dataclass(frozen=True)
class _Stock:
    """All masks of a folder at one size: bits, since 12,000 masks at 256x256 take 0.8 GB as bytes."""

    packed: np.ndarray  # uint8 [n, ceil(S*S/8)]
    ratios: np.ndarray  # float64 [n]
    usable: np.ndarray  # int64 [m], rows within the limits
    size: int

    def hole(self, row: int) -> np.ndarray:
        """Row `row`, bool [S,S]."""
        bits = np.unpackbits(self.packed[row], count=self.size * self.size)  # [S*S]
        return bits.reshape(self.size, self.size).astype(np.bool_)


class MaskFolder:
    """A `HoleSource` over files, read once for each size that is asked for."""

    def __init__(
        self,
        files: Sequence[Path],
        limits: Bucket,
        hole_color: str,
        orient: Callable[[np.random.Generator, np.ndarray], np.ndarray],
    ) -> None:
        self.limits = limits
        self._files = tuple(files)
        self._hole_color = hole_color
        self._orient = orient
        self._stocks: dict[int, _Stock] = {}
        self._lock = threading.Lock()

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"{len(self._files)} mask files of {self._files[0].parent.name}, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One of the folder's holes within the limits, bool [size,size]."""
        stock = self._stock(size)
        row = int(stock.usable[rng.integers(len(stock.usable))])
        return self._orient(rng, stock.hole(row))

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """The files' holes in the bucket, upright and in order, bool [n,size,size]; the first `count`, or all for 0."""
        del seed
        stock = self._stock(size)
        rows = [row for row in stock.usable if stock.ratios[row] in bucket]
        chosen = rows[:count] if count > 0 else rows
        return np.stack([stock.hole(row) for row in chosen]) if chosen else np.zeros((0, size, size), np.bool_)

    def _stock(self, size: int) -> _Stock:
        """The masks at this size; the first call reads the files."""
        with self._lock:
            if size not in self._stocks:
                self._stocks[size] = self._read(size)
            return self._stocks[size]

    def _read(self, size: int) -> _Stock:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            read = list(pool.map(lambda file: _read_mask(file, size, self._hole_color), self._files))
        if not self._stocks:
            _warn_of_odd_masks(read, self._files[0].parent)
        ratios = np.asarray([mask.ratio for mask in read])  # [n]
        usable = np.flatnonzero([ratio in self.limits for ratio in ratios])  # [m]
        if len(usable) == 0:
            brightest = max(mask.brightest for mask in read)
            raise UserError(
                f"none of the {len(read)} masks in {self._files[0].parent} has a hole ratio in {self.limits} "
                f"at {size}x{size}: they range over {ratios.min():.3f}-{ratios.max():.3f}, brightest grey {brightest} "
                "of 255; set config.holes.ratio or hole_color (white, at least 128, is hole)"
            )
        log.info("%d of %d masks lie in ratio %s at %dx%d", len(usable), len(read), self.limits, size, size)
        return _Stock(np.stack([mask.packed for mask in read]), ratios, usable, size)


@dataclasses.dataclass(frozen=True)
class _Mask:
    """What reading one file tells; `grey_share` and `brightest` are of the file, before it is resized."""

    packed: np.ndarray  # uint8 [ceil(S*S/8)]
    ratio: float
    grey_share: float
    brightest: int


def _read_mask(file: Path, size: int, hole_color: str) -> _Mask:
    grey = hole_image.read_grey(file)  # [H,W]
    hole = hole_image.binarise(hole_image.resize_nearest(grey, size), hole_color)  # [S,S]
    grey_share = float(np.mean((grey > 0) & (grey < 255)))
    return _Mask(np.packbits(hole), hole_ratio(hole), grey_share, int(grey.max()))


def _warn_of_odd_masks(masks: Sequence[_Mask], folder: Path) -> None:
    """Says where the polarity looks reversed or the files are not black and white."""
    ratio = float(np.mean([mask.ratio for mask in masks]))
    if ratio > 0.6:
        log.warning(
            "the masks in %s are %.0f%% hole on average: white is hole here; if theirs is black, set hole_color=black",
            folder,
            100 * ratio,
        )
    grey = float(np.mean([mask.grey_share for mask in masks]))
    if grey > 0.001:
        log.warning("%.2f%% of the mask pixels in %s are neither black nor white; cut at 0.5", 100 * grey, folder)
