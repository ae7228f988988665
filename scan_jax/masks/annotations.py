"""Holes drawn from annotations: COCO's polygons and run lengths, and the shapes of labelme."""

from __future__ import annotations

import base64
import binascii
import io
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError, counted
from scan_jax.images import png
from scan_jax.images.decode import DECODE_ERRORS, MAX_PIXELS, reason, verify_image
from scan_jax.images.hole import grow_hole, read_grey
from scan_jax.images.pairs import list_files

log = logging.getLogger(__name__)

# What JSON of another kind, or damaged, raises where it is read.
SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error, OverflowError)


class Region(NamedTuple):
    """Something that is outlined in a photograph."""

    label: str
    draw: Callable[[int, int], np.ndarray] | None  # height and width -> bool [H,W]; None for what has no area


class Annotated(NamedTuple):
    """A photograph and what is outlined in it."""

    name: str  # its file, relative to the folder of photographs
    height: int  # pixels, upright
    width: int
    regions: tuple[Region, ...]


def draw_holes(source: Path, photographs: Path, out: Path, category: str = "", grow: int = 0) -> int:
    """Writes a mask for each photograph with a region, white = hole, of its size and name, as a PNG; all or none.

    Args:
      source: a JSON file of COCO or labelme, or a folder of labelme's.
      photographs: their folder.
      out: a folder, which is new or empty.
      category: the label of what becomes the hole; "" for everything.
      grow: pixels by which the hole is larger than what is outlined.

    Returns:
      How many were written.

    Raises:
      UserError: annotations cannot be read, are of photographs that are not there or of other sizes, or none is of the
        category; `out` holds something.
    """
    if grow < 0:
        raise UserError(f"--grow must be 0 pixels or more, not {grow}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; choose another --out")
    annotated = read_annotations(source)
    labels = Counter(region.label for one in annotated for region in one.regions)
    if category and category not in labels:
        near, there = did_you_mean(category, labels), ", ".join(sorted(labels)[:20])
        raise UserError(f"{source} outlines no {category!r}{near}; there: {there or 'nothing at all'}")
    chosen = {one: [r for r in one.regions if r.label == category or not category] for one in annotated}
    wanted = {one: [r.draw for r in regions if r.draw] for one, regions in chosen.items()}
    if flat := sum(map(len, chosen.values())) - sum(map(len, wanted.values())):
        log.warning("left out %s without an area, such as lines and points", counted(flat, "shape"))
    wanted = {one: draws for one, draws in wanted.items() if draws}
    if not wanted:
        raise UserError(f"{source} outlines nothing in any of {len(annotated):,} photographs")
    names = Counter(PurePosixPath(one.name).with_suffix(".*").as_posix() for one in annotated)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UserError(f"{source} annotates several photographs called {twice[0]}; give their masks names by theirs")
    _check_photographs(list(wanted), photographs)
    if len(wanted) < len(annotated):
        log.info("%s without a hole", counted(len(annotated) - len(wanted), "photograph is", "photographs are"))
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        for one, draws in wanted.items():
            hole = np.zeros((one.height, one.width), bool)  # [H,W]
            for draw in draws:
                hole |= _drawn(draw, one, source)
            place = part / PurePosixPath(one.name).with_suffix(".png")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(png.encode_hole(grow_hole(hole, grow)))
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(wanted)


def _drawn(draw: Callable[[int, int], np.ndarray], one: Annotated, source: Path) -> np.ndarray:
    try:
        return draw(one.height, one.width)
    except (*SENSELESS, *DECODE_ERRORS) as error:
        raise UserError(f"{source}: a region of {one.name} cannot be drawn: {reason(error)}; put it right") from error


def _check_photographs(annotated: Sequence[Annotated], folder: Path) -> None:
    """Refuses photographs that are not there, do not decode, or have another size than was annotated."""
    absent = [one.name for one in annotated if not (folder / one.name).is_file()]
    if absent:
        told = counted(len(absent), "annotated photograph is", "annotated photographs are")
        raise UserError(f"{told} not in {folder}, such as {absent[0]}; give their folder by --images")
    for one in annotated:
        try:
            size = verify_image(folder / one.name)
        except DECODE_ERRORS as error:
            raise UserError(f"cannot read {folder / one.name}: {reason(error)}; replace or remove it") from error
        if size != (one.height, one.width):
            raise UserError(
                f"{one.name} is {size[1]}x{size[0]}, but was annotated as {one.width}x{one.height}; give those "
                "that were annotated"
            )


def read_annotations(source: Path) -> list[Annotated]:
    """What the JSON file says, or those of a folder, in order of names; a UserError where they are of another kind."""
    if source.is_dir():
        files = [path for name, path in list_files(source).items() if name.lower().endswith(".json")]
        return [one for path in files for one in _labelme(_load(path), path, path.relative_to(source).parent)]
    content = _load(source)
    read = _labelme if "shapes" in content else _coco
    return list(read(content, source, Path()))


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read the annotations {path}: {reason(error)}") from error
    if not isinstance(content, dict) or not ({"shapes", "annotations"} & content.keys()):
        raise UserError(f"{path} has neither COCO's `annotations` nor labelme's `shapes`; export it as one of these")
    return content


def _coco(content: Mapping[str, Any], path: Path, folder: Path) -> Iterator[Annotated]:
    """By COCO's description: images, annotations, which name image and category by number, and categories."""
    try:
        names = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
        regions: dict[Any, list[Region]] = {one["id"]: [] for one in content["images"]}
        for one in content["annotations"]:
            shape, label = one.get("segmentation"), names.get(one.get("category_id"), "")
            draw = None if not shape else _run_lengths(shape) if isinstance(shape, dict) else _polygons(shape)
            regions[one["image_id"]].append(Region(label, draw))
        for one in content["images"]:
            yield _annotated(str(one["file_name"]), one["height"], one["width"], regions[one["id"]], folder)
    except SENSELESS as error:
        raise UserError(f"{path} is not as COCO describes: {type(error).__name__} {error}; export it anew") from error


def _labelme(content: Mapping[str, Any], path: Path, folder: Path) -> Iterator[Annotated]:
    """A file of labelme, for one photograph."""
    try:
        regions = [
            Region(str(shape["label"]), LABELME[kind](shape) if (kind := shape.get("shape_type")) in LABELME else None)
            for shape in content["shapes"]
        ]
        name = str(content["imagePath"]).replace("\\", "/")
        yield _annotated(name, content["imageHeight"], content["imageWidth"], regions, folder)
    except SENSELESS as error:
        raise UserError(f"{path} is not as labelme writes: {type(error).__name__} {error}; save it anew") from error


def _annotated(name: str, height: int, width: int, regions: Sequence[Region], folder: Path) -> Annotated:
    if not 0 < int(height) * int(width) <= MAX_PIXELS:
        raise ValueError(f"{name} of {width}x{height} pixels")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name}, whose path leads out of the folder")
    return Annotated((folder / name).as_posix(), int(height), int(width), tuple(regions))


def _polygons(rings: Sequence[Any]) -> Callable[[int, int], np.ndarray]:
    """All that lies in any of the rings [x, y, x, y, ...], pixels."""
    points = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings]  # [n,2]

    def draw(height: int, width: int) -> np.ndarray:
        return np.logical_or.reduce([fill_polygon(ring, height, width) for ring in points])

    return draw


def fill_polygon(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie in a polygon, x and y [n,2] in pixels: bool [H,W]; even-odd where it crosses itself.

    The square from 10 to 20 has 100 pixels, as pycocotools has it; drawing programs that paint the border have 121.
    """
    crossings = np.zeros((height, width + 1), np.int64)  # edges between a pixel and the one before
    for (x, y), (next_x, next_y) in zip(points, np.roll(points, -1, axis=0)):
        first, end = np.ceil(np.clip(sorted((y, next_y)), 0, height) - 0.5).astype(int)
        rows = np.arange(first, end)  # whose centres the edge passes
        if len(rows):
            at = x + (rows + 0.5 - y) * (next_x - x) / (next_y - y)
            np.add.at(crossings, (rows, np.ceil(np.clip(at, 0, width) - 0.5).astype(int)), 1)
    return np.cumsum(crossings, axis=1)[:, :width] % 2 == 1


def _run_lengths(shape: Mapping[str, Any]) -> Callable[[int, int], np.ndarray]:
    """COCO's runs down the columns, the first outside; as a list, or packed in text."""

    def draw(height: int, width: int) -> np.ndarray:
        counts = shape["counts"]
        runs = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)  # [n]
        if list(shape["size"]) != [height, width] or (runs < 0).any() or runs.sum() != height * width:
            raise ValueError(f"its runs are not of {width}x{height} pixels")
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(width, height).T

    return draw


def _unpacked(text: str) -> list[int]:
    """The runs in COCO's text: 5 bits to a sign, lowest first, the sixth says that more follow; from the third on, less
    the one before the last."""
    runs: list[int] = []
    number = place = 0
    for sign in text.encode("ascii"):
        bits = sign - 48
        number |= (bits & 31) << place
        place += 5
        if not bits & 32:
            number -= (bits & 16) << place - 4  # its sign
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = place = 0
    return runs


def _rectangle(shape: Mapping[str, Any]) -> Callable[[int, int], np.ndarray]:
    (left, top), (right, bottom) = shape["points"]
    return _polygons([[left, top, right, top, right, bottom, left, bottom]])


def _circle(shape: Mapping[str, Any]) -> Callable[[int, int], np.ndarray]:
    """About the first point, through the second."""
    (x, y), (on_x, on_y) = np.asarray(shape["points"], np.float64)

    def draw(height: int, width: int) -> np.ndarray:
        rows, columns = np.ogrid[:height, :width]
        return np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= np.hypot(on_x - x, on_y - y)

    return draw


def _patch(shape: Mapping[str, Any]) -> Callable[[int, int], np.ndarray]:
    """A PNG in base 64, from the first point to the second, which belongs to it."""
    (left, top), _ = np.asarray(shape["points"]).astype(int)
    content = base64.b64decode(shape["mask"])

    def draw(height: int, width: int) -> np.ndarray:
        patch, hole = read_grey(io.BytesIO(content)) > 127, np.zeros((height, width), bool)  # [h,w], [H,W]
        part = hole[max(top, 0) : top + patch.shape[0], max(left, 0) : left + patch.shape[1]]
        part |= patch[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
        return hole

    return draw


LABELME = {  # by `shape_type`; lines and points have no area
    "polygon": lambda shape: _polygons([shape["points"]]),
    "rectangle": _rectangle,
    "circle": _circle,
    "mask": _patch,
}
