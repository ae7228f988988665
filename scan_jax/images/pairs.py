"""Which hole and which label map belong to which photograph, in folders. Looks at names alone, reads no images.

Files belong together when their paths within their folders are the same without the suffix: photographs/paris/7.jpg,
holes/paris/7.png, labels/paris/7.png. With a suffix for holes, such as `_mask`, the hole of 7.jpg is 7_mask.png or
7_mask001.png, in a folder of its own or beside the photograph. A file in place of a folder of holes or label maps is
for all photographs.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from scan_jax.core.errors import UserError, counted
from scan_jax.images.decode import SUFFIXES
from scan_jax.images.photograph import FORMATS, check_output

NAMED = 5  # files in a message


@dataclasses.dataclass(frozen=True)
class Pair:
    """A photograph and what belongs to it."""

    name: str  # the photograph's path within its folder, such as "paris/7.jpg"
    photograph: Path  # its file
    hole: Path | None  # the hole's, or None where the photograph brings it
    labels: Path | None = None  # the label map's, or None


@dataclasses.dataclass(frozen=True)
class Matched:
    """What was found."""

    pairs: tuple[Pair, ...]  # sorted by name
    photographs: int  # how many there are
    holes: int  # how many there are
    # Photographs without a hole or label map and holes without a photograph, each with what it lacks
    unmatched: tuple[str, ...] = ()

    def __str__(self) -> str:
        """ "12 photographs, 10 holes, 2 unmatched: a.png (no hole), b.png (no hole)"."""
        counts = f"{counted(self.photographs, 'photograph')}, {counted(self.holes, 'hole')}"
        return f"{counts}, {len(self.unmatched)} unmatched{': ' * bool(self.unmatched)}{_some(self.unmatched)}"


def match(
    photographs: Path,
    hole: Path | None,
    labels: Path | None = None,
    *,
    hole_suffix: str = "",
    leave_out: Sequence[Path] = (),
    own_holes: bool = False,
) -> Matched:
    """Finds what belongs together.

    Args:
      photographs: a folder, searched at any depth, or one file.
      hole: a folder, or one file for all; None where holes lie beside the photographs and have a suffix.
      labels: a folder, or one file for all; None where there are none.
      hole_suffix: what the name of a hole's file has besides the photograph's, digits excepted; "" for nothing.
      leave_out: folders within these that are not searched, such as that of the outputs.
      own_holes: whether photographs bring their holes themselves, so that no files are looked for.

    Raises:
      UserError: there is no such file or folder, there are no photographs or no holes at all, or several for one.
    """
    for kind, path in (("photograph", photographs), ("hole", hole), ("label map", labels)):
        if path is not None and not path.exists():
            raise UserError(f"cannot read the {kind} {path}: there is no such file or folder")
    if own_holes and (hole is not None or hole_suffix):
        raise UserError("give files of holes, or have them read from the photographs by --hole_from")
    if hole is None and not hole_suffix and not own_holes:
        raise UserError(
            "give the hole, or --hole_suffix=_mask where holes lie beside the photographs as NAME_mask.png, or "
            "--hole_from=alpha where the photographs are transparent there"
        )
    if hole is not None and not hole_suffix and hole.is_dir() and hole.samefile(photographs):
        raise UserError(f"photographs and holes are both in {hole}; tell them apart with --hole_suffix=_mask")
    others = tuple(path for path in (hole, labels, *leave_out) if path is not None)
    found = _photographs(photographs, hole_suffix, others)
    holes = {} if own_holes else _partners(found, photographs, hole, hole_suffix, leave_out, "hole")
    maps = None if labels is None else _partners(found, photographs, labels, "", leave_out, "label map")
    pairs, unmatched = [], []
    for name, path in found.items():
        key = _key(name)
        if key not in holes and not own_holes:
            unmatched.append(f"{name} (no hole)")
        elif maps is not None and key not in maps:
            unmatched.append(f"{name} (no label map)")
        else:
            pairs.append(Pair(name, path, holes[key][1] if holes else None, maps[key][1] if maps else None))
    used = {_key(name) for name in found}
    unmatched += [f"{name} (a hole without a photograph)" for key, (name, _) in holes.items() if key not in used]
    count = len(found) if own_holes else len({path for _, path in holes.values()})
    matched = Matched(tuple(pairs), len(found), count, tuple(unmatched))
    if not pairs:
        raise UserError(f"nothing to fill in {photographs}: {matched}")
    return matched


def _photographs(photographs: Path, hole_suffix: str, others: Sequence[Path]) -> dict[str, Path]:
    """By name, holes with a suffix left out."""
    if photographs.is_file():
        return {photographs.name: photographs}
    images = list_images(photographs, others)
    found = {name: path for name, path in images.items() if not (hole_suffix and unmarked(_key(name), hole_suffix))}
    if not found:
        of_which = f" but {counted(len(images), 'hole')} (*{hole_suffix}*)" if images else ""
        raise UserError(f"0 photographs in {photographs}{of_which}; names end in one of {', '.join(SUFFIXES)}")
    return found


Partners = Mapping[str, tuple[str, Path]]  # name and path of each hole or label map, by its photograph's key


def _partners(
    found: Iterable[str], photographs: Path, place: Path | None, suffix: str, leave_out: Sequence[Path], kind: str
) -> Partners:
    """The holes or label maps in a folder, or the one file for all photographs that were found."""
    if place is not None and place.is_file():
        return {_key(name): (place.name, place) for name in found}
    root = place or (photographs if photographs.is_dir() else photographs.parent)
    by_key: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
    for name, path in list_images(root, leave_out).items():
        key = unmarked(_key(name), suffix) if suffix else _key(name)
        if key and (photographs.is_dir() or key == photographs.stem):
            by_key[key].append((name, path))
    for files in by_key.values():
        if len(files) > 1:
            names = _some([name for name, _ in files])
            raise UserError(f"{len(files)} {kind}s for one photograph in {root}: {names}; leave one")
    return {key: files[0] for key, files in by_key.items()}


def list_images(folder: Path, leave_out: Iterable[Path] = (), suffixes: Collection[str] = SUFFIXES) -> dict[str, Path]:
    """The files of `list_files` whose suffixes, in lower case, are those of images or of `suffixes`."""
    files = list_files(folder, leave_out)
    return {name: path for name, path in files.items() if path.suffix.lower() in suffixes}


def list_files(folder: Path, leave_out: Iterable[Path] = (), follow_links: bool = False) -> dict[str, Path]:
    """Files at any depth by their paths within the folder, sorted; what is hidden or to `leave_out` does not count.

    `follow_links` says whether folders behind links are searched, each once.
    """
    without = {path.resolve() for path in leave_out} - {folder.resolve()}
    found, seen = {}, set()
    for root, folders, files in os.walk(folder, followlinks=follow_links):
        here, real = Path(root), os.path.realpath(root)
        if real in seen:  # by way of a link
            folders.clear()
            continue
        seen.add(real)
        # Other systems leave their own files beside images (._a.png, .thumbnails/).
        folders[:] = [name for name in folders if name[0] != "." and (here / name).resolve() not in without]
        for path in (here / name for name in files if name[0] != "."):
            if not without or path.resolve() not in without:
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def _key(name: str) -> str:
    """What a photograph's name shares with those of its hole and label map."""
    return name[: len(name) - len(Path(name).suffix)]


def unmarked(key: str, suffix: str, flags: re.RegexFlag = re.NOFLAG) -> str:
    """The key of the photograph whose hole this is, NAME for NAME_mask and NAME_mask001; "" if it is none."""
    named = re.fullmatch(rf"(.*[^/]){re.escape(suffix)}\d*", key, flags)
    return named[1] if named else ""


def named_as_mask(stem: str) -> str:
    """`unmarked` for masks that were collected without a suffix being given: `_mask` in any case."""
    return unmarked(stem, "_mask", re.IGNORECASE)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)


@dataclasses.dataclass(frozen=True)
class Pairing:
    """Which photograph of a folder each mask of a set belongs to."""

    photograph_of: Mapping[Path, Path]  # mask file to photograph
    masks_alone: tuple[Path, ...]  # masks whose photograph is missing
    photographs_alone: tuple[Path, ...]  # photographs without a mask


def pair(masks: Sequence[Path], folder: Path) -> Pairing:
    """Looks up every mask's photograph in `folder`, at any depth: NAME.* for NAME.*, NAME_mask.* or NAME_mask001.*.

    Raises:
      UserError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {str(folder)!r}; give the folder of the photographs that the masks belong to")
    photographs = {file.stem: file for file in list_images(folder, masks).values()}
    if not photographs:
        raise UserError(f"no photographs ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    names = {mask: mask.stem if mask.stem in photographs else named_as_mask(mask.stem) for mask in masks}
    found = {mask: photographs[name] for mask, name in names.items() if name in photographs}
    used = set(found.values())
    alone = tuple(file for file in photographs.values() if file not in used)
    return Pairing(found, tuple(mask for mask in masks if mask not in found), alone)


def in_folder(pairs: Sequence[Pair], out: Path, file_format: str = "") -> list[Path]:
    """A file in `out` for each photograph, in the sub-folder and format in which it was.

    Args:
      pairs: what will be filled.
      out: a folder, which need not exist.
      file_format: of all outputs, such as "png". Without it, formats that cannot be written become PNG.

    Raises:
      UserError: `out` is a file, or two photographs would share an output.
    """
    if out.is_file():
        raise UserError(f"--out={out} is a file; give a folder, for the photographs come from one")
    places: dict[Path, Pair] = {}
    for pair in pairs:
        same = pair.photograph.suffix if pair.photograph.suffix.lower() in FORMATS else ".png"
        place = out / Path(pair.name).with_suffix(f".{file_format}" if file_format else same)
        if place in places:
            both = f"{places[place].name} and {pair.name}"
            raise UserError(f"{both} would both be written to {place}; rename one, or leave out --format")
        places[place] = pair
    return list(places)


def check_places(outputs: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Refuses formats that cannot be written, and to write over what is read, with a UserError that names the file."""
    read = {_identity(path): path for path in inputs if path is not None and path.exists()}
    for output in outputs:
        check_output(output)
        if output.exists() and (of := read.get(_identity(output))):
            raise UserError(f"{output} would be written over {of}, which is read; choose another --out")


def check_folder(out: Path, inputs: Iterable[Path | None]) -> None:
    """Refuses a folder that is read: next time its files would be taken for photographs or holes."""
    for folder in inputs:
        if folder is not None and folder.is_dir() and out.exists() and _identity(out) == _identity(folder):
            raise UserError(f"--out={out} is a folder of what is read; give another, it may lie within")


def _identity(path: Path) -> tuple[int, int]:
    """The file itself: links to it, or other spellings where case does not matter, are the same."""
    found = path.stat()
    return found.st_dev, found.st_ino
