"""Holes from a folder of mask images, such as the irregular masks of partial convolutions (Liu et al. 2018)."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scan_jax.core.bounds import Ratios, Size
from scan_jax.core.errors import NotHere, UserError, counted
from scan_jax.core.source_kinds import instead_of_folder, warn_of_left_out
from scan_jax.core.split_folders import splits_by_folder
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, reason
from scan_jax.images.hole import binarise, check_color, read_grey, refuse_grey, resize_nearest
from scan_jax.images.pairs import list_files
from scan_jax.masks import frozen_set
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.ratio import Bucket, hole_ratio

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class MaskFolder:
    """`config.holes` of a mask folder."""

    path: str  # the folder; an `index.csv` in it with a column `file` names the files and their order
    ratio: Ratios = (0.1, 0.6)  # (low, high]; files outside it, at the size asked for, are left out
    # masks to measure on; without it those in folders `valid` or `test` of `path` beside `train`, or every second file.
    # All of a frozen set is measured on, whatever `ratio`
    held_out_path: str = ""
    hole_color: str = "white"  # "white" or "black"; frozen sets are white whatever it says

    def open_splits(self) -> HoleSplits:
        """The masks in `train` and those in `valid` or `test`; without such folders, its even rows and its odd ones.

        With `held_out_path` all of it, or what lies in `train`, is to train with. UserError where a folder is missing
        or has too few masks, or a setting makes no sense.
        """
        check_color(self.hole_color, "config.holes.hole_color")
        limits = Bucket(*self.ratio)
        masks = open_masks(self.path, self.hole_color, limits, "config.holes.path")
        folder = Path(self.path).expanduser()
        parts = splits_by_folder(masks.files, self.path, lambda file: Path(os.path.relpath(file, folder)).as_posix())
        if self.held_out_path:
            held_out = open_masks(self.held_out_path, self.hole_color, limits)
            return HoleSplits(masks.some(parts.get("train", masks.files), limits), held_out)
        train, measured = masks.files[0::2], masks.files[1::2]
        if parts:
            train, measured = parts["train"], parts.get("validation") or parts["test"]
        if not measured:
            raise UserError(f"{self.path} has a single mask, but one must be held out; add masks or set held_out_path")
        log.info("%s to train with, %d held out, from %s", counted(len(train), "mask"), len(measured), self.path)
        return HoleSplits(masks.some(train, limits), masks.some(measured, limits, upright=True))


@dataclasses.dataclass(frozen=True)
class IrregularMasks:
    """`config.holes` of masks prepared by `scan-jax prepare irregular_masks`, such as those of Liu et al. (2018)."""

    ratio: Ratios = (0.1, 0.6)  # (low, high]; masks outside it, at the size asked for, are left out
    stored_size: Size = 512  # that they were prepared at, pixels
    set_name: str = ""  # that they were prepared with, where they are not the authors'
    data_dir: str = ""  # of all datasets; ~/tensorflow_datasets, or $TFDS_DATA_DIR, where it is empty

    def open_splits(self) -> HoleSplits:
        """Masks turned at random to train with, upright to test; a UserError tells the command that prepares them."""
        from scan_jax.core import prepared  # which loads protocol buffers

        config = f"{self.set_name}-{self.stored_size}" if self.set_name else str(self.stored_size)
        command = f"python -m scan_jax prepare irregular_masks --source=MASKS --size={self.stored_size}"
        dataset = prepared.find(self.data_dir, "irregular_masks", config, command)

        def holes(split: str, upright: bool) -> StoredHoles:
            records, name = dataset.splits[split], f"{dataset.name} {split} ({dataset.digests[split][:12]})"
            read = partial(_brightness, records)
            return StoredHoles(name, range(len(records)), Bucket(*self.ratio), read=read, upright=upright)

        return HoleSplits(holes("train", upright=False), holes("test", upright=True))


def _brightness(records: Sequence[Mapping[str, Any]], row: int) -> np.ndarray:
    """A prepared mask by its row, uint8 [S,S]; white is hole."""
    return records[row]["hole"][..., 0]


def read_mask(file: Path) -> np.ndarray:
    """The file's brightness, uint8 [H,W]; a UserError where it is missing, no image, no mask, damaged or too large."""
    try:
        return refuse_grey(read_grey(file))
    except DECODE_ERRORS as error:
        raise UserError(f"cannot read the hole image {file}: {reason(error)}; replace or remove it") from error


def open_masks(path: str, hole_color: str, limits: Bucket, where: str = "config.holes.held_out_path") -> StoredHoles:
    """All masks of a folder to measure on, in the order of its `index.csv` or else of their relative paths.

    The files of a frozen set are checked against its manifest, which also has limits and colour. UserError where there
    is no such folder, it has no mask, or its index or manifest names a file that is not there or has been changed.
    """
    folder = Path(path).expanduser()
    if not path or not folder.is_dir():
        told = path and instead_of_folder(folder, "irregular_masks")
        told = told or f"; give a folder of mask images ({', '.join(SUFFIXES)})"
        raise NotHere(f"{where}: no folder {path!r}{told}")
    name, frozen = folder.resolve().name, frozen_set.load(folder)
    if frozen:
        frozen_set.check(folder, frozen)
    files = tuple(frozen_set.find(folder))
    warn_of_left_out(list_files(folder), SUFFIXES, str(folder))
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        names = f"{folder / frozen_set.INDEX} names {counted(len(absent), 'file that is', 'files that are')}"
        raise UserError(f"{names} not there, such as {absent[0]}; correct the index")
    if not files:
        raise UserError(f"{where}: no mask images ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    if frozen:  # these are white on black, whatever the config says of other folders
        name, hole_color = f"the frozen set {name} ({frozen.digest[:12]})", "white"
        limits = Bucket(frozen.edges[0], frozen.edges[-1])
    return StoredHoles(name, files, limits, hole_color)


def turn_at_random(rng: np.random.Generator, hole: np.ndarray) -> np.ndarray:
    """One of the eight flips and quarter rotations of `hole` [S,S]."""
    quarter_turns, flip = divmod(int(rng.integers(8)), 2)
    hole = np.rot90(hole, quarter_turns)
    return np.ascontiguousarray(hole[:, ::-1] if flip else hole)


class _Stock(NamedTuple):
    """All masks of a folder at one size: bits, since 12,000 masks at 256x256 take 0.8 GB as bytes."""

    packed: np.ndarray  # uint8 [n, ceil(S*S/8)]
    ratios: np.ndarray  # float64 [n]
    usable: np.ndarray  # int64 [m], rows within the limits
    size: int

    def hole(self, row: int) -> np.ndarray:
        """Row `row`, bool [S,S]."""
        bits = np.unpackbits(self.packed[row], count=self.size * self.size)  # [S*S]
        return bits.reshape(self.size, self.size).astype(np.bool_)


class StoredHoles:
    """A `HoleSource` over masks of a folder or dataset, read once for each size that is asked for."""

    def __init__(
        self,
        name: str,
        files: Sequence[Any],
        limits: Bucket,
        hole_color: str = "white",
        read: Callable[[Any], np.ndarray] = read_mask,
        upright: bool = True,
    ) -> None:
        """Of `files` in order: paths, or whatever `read` takes; it gives their brightness, uint8 [H,W]."""
        self.name, self.files, self.limits = name, files, limits
        self._hole_color, self._read_grey, self._upright = hole_color, read, upright
        self._stocks: dict[int, _Stock] = {}
        self._lock = threading.Lock()

    def some(self, files: Sequence[Any], limits: Bucket, upright: bool = False) -> StoredHoles:
        """Some of the masks, within other limits, turned at random unless they stay upright."""
        return StoredHoles(self.name, files, limits, self._hole_color, self._read_grey, upright)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: what was read goes along, since reading takes longer; a lock cannot."""
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        return f"{len(self.files)} mask files of {self.name}, ratio {self.limits}"

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One of the folder's holes within the limits, bool [size,size], turned at random unless they stay upright."""
        stock = self._stock(size)
        hole = stock.hole(int(stock.usable[rng.integers(len(stock.usable))]))
        return hole if self._upright else turn_at_random(rng, hole)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """The files' holes in the bucket, upright and in order, bool [n,size,size]; the first `count`, or all for 0."""
        del seed
        stock = self._stock(size)
        rows = [row for row in stock.usable if stock.ratios[row] in bucket]
        holes = [stock.hole(row) for row in (rows[:count] if count > 0 else rows)]
        return np.stack(holes) if holes else np.zeros((0, size, size), np.bool_)

    def _stock(self, size: int) -> _Stock:
        """The masks at this size; the first call reads the files."""
        with self._lock:
            if size not in self._stocks:
                self._stocks[size] = self._read(size)
            return self._stocks[size]

    def _read(self, size: int) -> _Stock:
        read = frozen_set.read_all(lambda file: self._read_file(file, size), self.files, "reading masks")
        packed, ratios, grey_shares, brightest = map(np.asarray, zip(*read))  # [n,ceil(S*S/8)], [n], [n], [n]
        if not self._stocks:
            _warn_of_odd_masks(ratios.mean(), grey_shares.mean(), self.name)
        usable = np.flatnonzero([ratio in self.limits for ratio in ratios])  # [m]
        if len(usable) == 0:
            raise UserError(
                f"none of the {len(read)} masks in {self.name} has a hole ratio in {self.limits} "
                f"at {size}x{size}: they range over {ratios.min():.3f}-{ratios.max():.3f}, brightest grey "
                f"{brightest.max()} of 255; set config.holes.ratio or hole_color (white, at least 128, is hole)"
            )
        log.info("%d of %d masks lie in ratio %s at %dx%d", len(usable), len(read), self.limits, size, size)
        return _Stock(packed, ratios, usable, size)

    def _read_file(self, file: Any, size: int) -> tuple[np.ndarray, float, float, int]:
        """A file's hole in bits and its ratio, at this size; its share of grey and brightest pixel, at its own."""
        grey = self._read_grey(file)  # [H,W]
        hole = binarise(resize_nearest(grey, size), self._hole_color)  # [S,S]
        return np.packbits(hole), hole_ratio(hole), float(np.mean((grey > 0) & (grey < 255))), int(grey.max())


def _warn_of_odd_masks(ratio: float, grey: float, name: str) -> None:
    """Says where the polarity looks reversed or the files are not black and white; both are means over the masks."""
    if ratio > 0.6:
        log.warning(
            "the masks in %s are %.0f%% hole on average: white is hole here; if theirs is black, set hole_color=black",
            name,
            100 * ratio,
        )
    if grey > 0.001:
        log.warning("%.2f%% of the mask pixels in %s are neither black nor white; cut at 0.5", 100 * grey, name)
