"""Holes and label maps drawn from annotations of photographs."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError, counted
from scan_jax.images import png
from scan_jax.images.decode import DECODE_ERRORS, reason, verify_image
from scan_jax.images.hole import grow_hole
from scan_jax.masks.annotations import CLASS_NAMES, SENSELESS, Annotated, Annotations, Region, read_annotations

log = logging.getLogger(__name__)

BACKGROUND = "background"  # class 0 of label maps
MAX_CLASSES = 256  # of 8 bits


def draw_holes(source: Path, photographs: Path, out: Path, categories: Sequence[str] = (), grow: int = 0) -> int:
    """Writes a mask for each photograph with a region, white = hole, of its size and name, as a PNG; all or none.

    Args:
      source: annotations, as of `read_annotations`.
      photographs: their folder.
      out: a folder, which is new or empty.
      categories: the labels of what becomes the hole; () for everything.
      grow: pixels by which the hole is larger than what is outlined.

    Returns:
      How many were written.

    Raises:
      UserError: annotations cannot be read, are of photographs that are not there or of other sizes, or none is of a
        category; `out` holds something.
    """
    if grow < 0:
        raise UserError(f"--grow must be 0 pixels or more, not {grow}")
    _check_new(out)
    annotated = _chosen(read_annotations(source, photographs), categories, source).photographs
    outlined = [one for one in annotated if one.regions]
    if not outlined:
        raise UserError(f"{source} outlines nothing in any of {len(annotated):,} photographs")
    if without := len(annotated) - len(outlined):
        log.info("%s without a hole", counted(without, "photograph is", "photographs are"))
    shapes = _check_photographs(outlined, photographs)
    with _new_folder(out) as part:
        for one, shape in zip(outlined, shapes):
            hole = np.zeros(shape, bool)  # [H,W]
            for region in one.regions:
                hole |= _drawn(region, one, shape, source)
            _place(part, one).write_bytes(png.encode_hole(grow_hole(hole, grow)))
    return len(outlined)


def draw_label_maps(source: Path, photographs: Path, out: Path, categories: Sequence[str] = ()) -> tuple[str, ...]:
    """Writes a folder of photographs and label maps, as `data.labelled_folder` reads it; all or none.

    `images/` are copies of all photographs that are annotated, `labels/` PNGs of the same names and sizes whose
    values are classes, `class_names.txt` says which. Of two regions that overlap the one that comes later is seen.

    Args:
      source: annotations, as of `read_annotations`.
      photographs: their folder.
      out: a folder, which is new or empty.
      categories: the labels that become classes 1, 2, ..., all else the background; () for all, in the annotations'
        own order.

    Returns:
      The names of the classes from 0 on.

    Raises:
      UserError: as of `draw_holes`, or there are more classes than 8 bits hold.
    """
    _check_new(out)
    annotated, labels = _chosen(read_annotations(source, photographs), categories, source)
    classes = (BACKGROUND, *(label for label in labels if label not in (BACKGROUND, "_background_")))
    if not any(one.regions for one in annotated):
        raise UserError(f"{source} outlines nothing in any of {len(annotated):,} photographs")
    if len(classes) > MAX_CLASSES:
        raise UserError(f"{source} has {len(classes)} classes, a label map at most {MAX_CLASSES}; choose by --category")
    shapes, overlapping = _check_photographs(annotated, photographs), 0
    with _new_folder(out) as part:
        for one, shape in zip(annotated, shapes):
            labels_of = np.zeros(shape, np.uint8)  # [H,W]
            covered = 0
            for region in one.regions:
                value, inside = classes.index(region.label), _drawn(region, one, shape, source)
                covered += int((inside & (labels_of != 0) & (labels_of != value)).sum())
                labels_of[inside] = value
            overlapping += covered > 0
            Image.fromarray(labels_of).save(_place(part / "labels", one))
            copy = part / "images" / one.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photographs / one.name, copy)
        (part / CLASS_NAMES).write_text("".join(f"{name}\n" for name in classes))
    if overlapping:
        told = counted(overlapping, "photograph")
        log.warning("in %s regions of different classes overlap: the later one in the file is seen", told)
    return classes


def _chosen(annotations: Annotations, categories: Sequence[str], source: Path) -> Annotations:
    """What has an area and one of the labels; a UserError where there is none of a category, or names are not apart."""
    annotated, labels = annotations
    for category in categories:
        if category not in labels:
            near, there = did_you_mean(category, labels), ", ".join(labels[:20])
            raise UserError(f"{source} outlines no {category!r}{near}; there: {there or 'nothing at all'}")
    wanted = tuple(categories) or labels
    chosen = [one._replace(regions=tuple(r for r in one.regions if r.label in wanted)) for one in annotated]
    solid = [one._replace(regions=tuple(r for r in one.regions if r.draw)) for one in chosen]
    if flat := sum(len(one.regions) for one in chosen) - sum(len(one.regions) for one in solid):
        log.warning("left out %s without an area, such as lines and points", counted(flat, "shape"))
    names = Counter(PurePosixPath(one.name).with_suffix(".*").as_posix() for one in annotated)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UserError(f"{source} annotates several photographs called {twice[0]}; give their masks names by theirs")
    return Annotations(tuple(solid), wanted)


def _drawn(region: Region, one: Annotated, shape: tuple[int, int], source: Path) -> np.ndarray:
    """bool [H,W]."""
    assert region.draw is not None  # by `_chosen`
    try:
        return region.draw(*shape)
    except (*SENSELESS, *DECODE_ERRORS) as error:
        raise UserError(f"{source}: a region of {one.name} cannot be drawn: {reason(error)}; put it right") from error


def _check_photographs(annotated: Sequence[Annotated], folder: Path) -> list[tuple[int, int]]:
    """Heights and widths; refuses photographs that are not there, do not decode, or were annotated at another size."""
    absent = [one.name for one in annotated if not (folder / one.name).is_file()]
    if absent:
        told = counted(len(absent), "annotated photograph is", "annotated photographs are")
        raise UserError(f"{told} not in {folder}, such as {absent[0]}; give their folder by --images")
    shapes = []
    for one in annotated:
        try:
            shapes.append(verify_image(folder / one.name))
        except DECODE_ERRORS as error:
            raise UserError(f"cannot read {folder / one.name}: {reason(error)}; replace or remove it") from error
        (height, width), (rows, columns) = shapes[-1], one.shape or shapes[-1]
        if (height, width) != (rows, columns):
            raise UserError(
                f"{one.name} is {width}x{height}, but was annotated as {columns}x{rows}; give those that were annotated"
            )
    return shapes


def _check_new(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; choose another --out")


@contextlib.contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder beside it that takes its place at the end, or goes."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield part
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _place(folder: Path, one: Annotated) -> Path:
    """The PNG of a photograph, in a folder that is there."""
    place = folder / PurePosixPath(one.name).with_suffix(".png")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
