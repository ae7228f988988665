"""Annotations of photographs: COCO, Segment Anything, labelme, label maps, tables of run lengths."""

from __future__ import annotations

import binascii
import csv
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.images import labels as label_map
from scan_jax.images.decode import DECODE_ERRORS, MAX_PIXELS, SUFFIXES, reason
from scan_jax.images.pairs import list_files
from scan_jax.masks import outlines

# What JSON of another kind, or damaged, raises where it is read.
SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error, OverflowError)
NAMELESS = "object"  # the label of what Segment Anything outlines, and of rows without a class
LABEL_MAPS = (".png", ".tif", ".tiff", ".bmp", ".gif")  # formats that do not blur classes
CLASS_NAMES = "class_names.txt"  # labelme's, a class a line, beside a folder of label maps or in it
# Columns of tables of run lengths, lower case, as competitions name them.
PHOTOGRAPH_COLUMNS = ("imageid", "image_id", "image", "img", "file_name", "filename", "id")
RUN_COLUMNS = ("encodedpixels", "encoded_pixels", "rle", "rle_mask", "segmentation")
CLASS_COLUMNS = ("classid", "class_id", "class", "label", "category")


class Region(NamedTuple):
    """Something that is outlined in a photograph."""

    label: str
    draw: outlines.Draw | None  # None for what has no area


class Annotated(NamedTuple):
    """A photograph and what is outlined in it."""

    name: str  # its file, relative to the folder of photographs
    shape: tuple[int, int] | None  # height and width, pixels, upright; None where only the photograph says so
    regions: tuple[Region, ...]


class Annotations(NamedTuple):
    """What a file or folder says."""

    photographs: tuple[Annotated, ...]
    labels: tuple[str, ...]  # all of them, by the source's own numbers where it has such, else by name


def read_annotations(source: Path, photographs: Path) -> Annotations:
    """What a JSON file, a table or a folder says.

    Args:
      source: JSON of COCO, Segment Anything or labelme, a CSV of run lengths, or a folder of labelme's or Segment
        Anything's files, or of label maps (`images.labels`; 0 is the background).
      photographs: their folder, for what names them without a suffix.

    Raises:
      UserError: it cannot be read, is of another kind, or names a photograph outside the folder.
    """
    labels: Sequence[str] = ()
    if source.suffix.lower() == ".csv":
        found = list(_table(source))
    elif not source.is_dir():
        content = _load(source)
        found = list(_outlined(content, source, Path()))
        labels = _coco_names(content, source).values() if "images" in content else ()  # type: ignore[assignment]
    else:
        files = list_files(source)
        if outlined := [path for name, path in files.items() if name.lower().endswith(".json")]:
            found = [one for path in outlined for one in _outlined(_load(path), path, path.relative_to(source).parent)]
        elif maps := {name: path for name, path in files.items() if name.lower().endswith(LABEL_MAPS)}:
            names = _class_names(source)
            found = list(_label_maps(maps, names))
            labels = tuple(names.values())
        else:
            raise UserError(f"{source} holds neither JSON of labelme or Segment Anything nor label maps as PNG")
    return Annotations(tuple(_resolved(found, photographs)), tuple(dict.fromkeys([*labels, *_sorted(found)])))


def _resolved(found: Sequence[Annotated], folder: Path) -> Iterator[Annotated]:
    """Named by the photographs' files: what is named without a suffix, or with another, by the rest of its name."""
    stems: dict[str, str] = {}
    for name in list_files(folder) if any(not (folder / one.name).is_file() for one in found) else ():
        if name.lower().endswith(SUFFIXES) and stems.setdefault(_stem(name), name) != name:
            there = f"{folder} holds {stems[_stem(name)]} and {name}"
            raise UserError(f"{there}; give a folder with one photograph of each name by --images")
    for one in found:
        yield one if (folder / one.name).is_file() else one._replace(name=stems.get(_stem(one.name), one.name))


def _stem(name: str) -> str:
    """ "paris/7.jpg" -> "paris/7"; of "7", which has no suffix, itself."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in SUFFIXES else name


def _sorted(found: Sequence[Annotated]) -> list[str]:
    """Their labels, numbers by their values."""
    labels = {region.label for one in found for region in one.regions}
    return sorted(labels, key=lambda label: (not label.isdecimal(), int(label) if label.isdecimal() else 0, label))


def _load(path: Path) -> Mapping[str, Any]:
    """A file's object; of the list that Segment Anything's generator returns, as its files have it."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read the annotations {path}: {reason(error)}") from error
    if (
        isinstance(content, list)
        and content
        and all(isinstance(one, dict) and "segmentation" in one for one in content)
    ):
        content = {"annotations": content, "image": {}}
    if not isinstance(content, dict) or not ({"shapes", "annotations"} & content.keys()):
        kinds = "neither the `annotations` of COCO or Segment Anything nor labelme's `shapes`"
        raise UserError(f"{path} has {kinds}; export it as one of these")
    return content


def _outlined(content: Mapping[str, Any], path: Path, folder: Path) -> Iterator[Annotated]:
    """What an object of one of the three kinds says, photographs named from `folder`; a UserError at damage."""
    name, read = (
        ("labelme", _labelme)
        if "shapes" in content
        else ("Segment Anything", _segment_anything)
        if "image" in content
        else ("COCO", _coco)
    )
    try:
        for photograph, height, width, regions in read(content, path):
            yield _annotated(photograph, (height, width), regions, folder)
    except SENSELESS as error:
        raise UserError(f"{path} is not as {name} has it: {type(error).__name__} {error}; export it anew") from error


Said = Iterator[tuple[str, Any, Any, Sequence[Region]]]  # name, height, width, regions


def _coco(content: Mapping[str, Any], path: Path) -> Said:
    """By COCO's description: images, annotations, which name image and category by number, and categories."""
    names = _coco_names(content, path)
    regions: dict[Any, list[Region]] = {one["id"]: [] for one in content["images"]}
    for one in content["annotations"]:
        shape, label = one.get("segmentation"), names.get(one.get("category_id"), NAMELESS)
        regions[one["image_id"]].append(Region(label, _coco_shape(shape) if shape else None))
    for one in content["images"]:
        yield str(one["file_name"]), one["height"], one["width"], regions[one["id"]]


def _coco_names(content: Mapping[str, Any], path: Path) -> dict[Any, str]:
    """The categories, by their numbers."""
    try:
        return {one["id"]: str(one["name"]) for one in content.get("categories", ())}
    except SENSELESS as error:
        raise UserError(f"{path} is not as COCO has it: {type(error).__name__} {error}; export it anew") from error


def _coco_shape(shape: Any) -> outlines.Draw:
    return outlines.run_lengths(shape) if isinstance(shape, dict) else outlines.polygons(shape)


def _segment_anything(content: Mapping[str, Any], path: Path) -> Said:
    """A file of SA-1B, or what the automatic generator returns, for one photograph of the file's name."""
    regions = [Region(NAMELESS, _coco_shape(one["segmentation"])) for one in content["annotations"]]
    about = content["image"] or {"file_name": path.stem}
    height, width = (
        (about["height"], about["width"]) if "height" in about else content["annotations"][0]["segmentation"]["size"]
    )
    yield str(about["file_name"]), height, width, regions


def _labelme(content: Mapping[str, Any], path: Path) -> Said:
    """A file of labelme, for one photograph."""
    del path
    regions = [
        Region(str(shape["label"]), LABELME[kind](shape) if (kind := shape.get("shape_type")) in LABELME else None)
        for shape in content["shapes"]
    ]
    yield str(content["imagePath"]).replace("\\", "/"), content["imageHeight"], content["imageWidth"], regions


LABELME = {  # by `shape_type`; lines and points have no area
    "polygon": lambda shape: outlines.polygons([shape["points"]]),
    "rectangle": outlines.rectangle,
    "circle": outlines.circle,
    "mask": outlines.patch,
}


def _annotated(name: str, shape: tuple[Any, Any], regions: Sequence[Region], folder: Path) -> Annotated:
    height, width = map(int, shape)
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"{name} of {width}x{height} pixels")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name}, whose path leads out of the folder")
    return Annotated((folder / name).as_posix(), (height, width), tuple(regions))


def _class_names(folder: Path) -> dict[int, str]:
    """Of label maps by their values, where they were given any; 0 is the background."""
    for place in (folder / CLASS_NAMES, folder.parent / CLASS_NAMES):
        if place.is_file():
            lines = place.read_text(encoding="utf-8-sig").splitlines()
            return dict(enumerate((line.strip() for line in lines if line.strip() != "__ignore__"), start=0))
    return {}


def _label_maps(maps: Mapping[str, Path], names: Mapping[int, str]) -> Iterator[Annotated]:
    """A region for each class of a label map but 0."""
    for name, path in maps.items():
        try:
            labels = _read_map(path)  # [H,W]
        except DECODE_ERRORS as error:
            raise UserError(f"cannot read the label map {path}: {reason(error)}; replace or remove it") from error
        values = [int(value) for value in np.unique(labels) if value]
        regions = [Region(names.get(value, str(value)), functools.partial(_of_class, path, value)) for value in values]
        yield Annotated(name, (labels.shape[0], labels.shape[1]), tuple(regions))


@functools.lru_cache(maxsize=1)  # its classes are drawn one after the other
def _read_map(path: Path) -> np.ndarray:
    return label_map.read_file(path)


def _of_class(path: Path, value: int, height: int, width: int) -> np.ndarray:
    """Where a label map has a value, bool [H,W]."""
    del height, width
    return _read_map(path) == value


def _table(path: Path) -> Iterator[Annotated]:
    """A row for each region: a photograph's name, its runs, and perhaps a class; without runs, nothing is there."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"cannot read the annotations {path}: {reason(error)}") from error
    columns = {name.lower(): name for name in rows[0] if name} if rows else {}
    photograph, runs, label = (
        next((columns[name] for name in names if name in columns), None)
        for names in (PHOTOGRAPH_COLUMNS, RUN_COLUMNS, CLASS_COLUMNS)
    )
    if photograph is None or runs is None:
        lacking = "a photograph's name (image_id)" if photograph is None else "runs (EncodedPixels)"
        there = ", ".join(columns.values()) or "none"
        raise UserError(f"{path} has no column of {lacking}; its columns: {there}; rename the one that holds them")
    regions: dict[str, list[Region]] = {}
    for number, row in enumerate(rows, start=2):
        found = regions.setdefault(row[photograph], [])
        if (text := (row[runs] or "").strip()) in ("", "-1", "nan"):
            continue
        try:
            found.append(Region(row[label] if label else NAMELESS, outlines.runs_by_start(text)))
        except SENSELESS as error:
            raise UserError(f"{path}, line {number}: its runs are no pairs of numbers; put them right") from error
    for name, found in regions.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{path} names {name}, whose path leads out of the folder; give names within it")
        yield Annotated(name, None, tuple(found))
