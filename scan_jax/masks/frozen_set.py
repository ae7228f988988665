"""Hole sets on disk, the same bytes on every machine, so that results can say which holes they were measured on."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from scan_jax.core import registry
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError, counted
from scan_jax.images import png
from scan_jax.images.pairs import list_images
from scan_jax.masks.api import SOURCES, fixed_set, open_holes
from scan_jax.masks.ratio import T, hole_ratio, make_buckets, progress

log = logging.getLogger(__name__)

F = TypeVar("F")
INDEX, MANIFEST = "index.csv", "manifest.json"


def write(
    section: Mapping[str, Any], folder: Path, *, size: int, edges: Sequence[float], per_bucket: int, seed: int
) -> Manifest:
    """Draws the held-out holes of a config's `holes` section and writes them, whole or not at all.

    The folder gets 1-bit PNGs (white = hole), `index.csv` and `manifest.json`. Where it has the same set already, that
    one is checked and kept.

    Args:
      section: as `config.holes`; without `ratio`, the edges limit it.
      folder: must be new, empty, or the same set.
      size: height and width in pixels.
      edges: of the ratio buckets, rising; each is lower-open and upper-closed.
      per_bucket: holes in each; a mask folder gives at most that many.
      seed: of the draws.

    Raises:
      UserError: a number makes no sense, no bucket can be reached, the folder holds something else, a file of the set
        that is there has been changed, or the disk is full.
    """
    for name, number, least in (("size", size, 1), ("per_bucket", per_bucket, 1), ("seed", seed, 0)):
        if number < least:
            raise UserError(f"{name} must be {least} or more, not {number}")
    if len(edges) < 2:
        raise UserError(f"a hole set needs at least two edges of ratios, such as 0.1 0.2, not {list(edges)}")
    buckets = make_buckets(edges)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and load(folder) is None)):
        raise UserError(f"{folder} exists and is no frozen set of holes; choose another place, or remove it")
    section = {"ratio": (edges[0], edges[-1]), **section}
    fixed = fixed_set(open_holes(section).held_out, size, buckets, per_bucket, seed)
    files, rows = {}, [("file", "bucket", "ratio", "sha256")]
    for label, holes in fixed.holes.items():
        for i, hole in enumerate(holes):
            name, content = f"{label.removesuffix('%')}_{i:05d}.png", png.encode_hole(hole)
            files[name] = content
            rows.append((name, label, f"{hole_ratio(hole):.6f}", hashlib.sha256(content).hexdigest()))
    index = "".join(",".join(row) + "\n" for row in rows).encode()
    manifest = Manifest(
        generator=section["name"],
        settings=dataclasses.asdict(registry.bind_named(SOURCES, section, "config.holes")),  # defaults, too
        seed=seed,
        size=size,
        edges=tuple(float(edge) for edge in edges),
        per_bucket=per_bucket,
        counts={label: len(holes) for label, holes in fixed.holes.items()},
        files=len(files),
        digest=fixed.digest,
        index_sha256=hashlib.sha256(index).hexdigest(),
    )
    _keep_or_write(folder, manifest, {**files, INDEX: index, MANIFEST: manifest.to_json()})
    return manifest


def _keep_or_write(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    if (folder / MANIFEST).is_file():
        if (folder / MANIFEST).read_bytes() != manifest.to_json():
            raise UserError(f"{folder} holds another set of holes; choose another place, or remove it")
        check(folder, manifest)
        log.info("%s is there already, %s, digest %s", folder, counted(manifest.files, "hole"), manifest.digest[:12])
        return
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for name, content in progress(files.items(), "writing", len(files)):
            (part / name).write_bytes(content)
        os.replace(part, folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {folder}: {reason}; free some space or choose another place") from error
    finally:  # whatever goes wrong, even Ctrl-C, nothing is left
        shutil.rmtree(part, ignore_errors=True)
    log.info("wrote %s to %s, digest %s", counted(manifest.files, "hole"), folder, manifest.digest[:12])


FORMAT = "frozen holes"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`."""

    generator: str  # the name of the source
    settings: Mapping[str, Any]  # the source's, defaults included
    seed: int  # of the draws
    size: int  # height and width in pixels
    edges: tuple[float, ...]  # of the ratio buckets, (edges[i], edges[i+1]]
    per_bucket: int  # holes asked for in each
    counts: Mapping[str, int]  # bucket label to holes that are there
    files: int  # holes in all
    digest: str  # of the `FixedSet`: labels, sizes and bits
    index_sha256: str  # of `index.csv`, which holds the hash of each file
    format: str = FORMAT  # tells this file from other programs' manifests
    version: int = VERSION  # of the format

    def to_json(self) -> bytes:
        """The file, the same bytes on every machine."""
        return (json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n").encode()


def load(folder: Path) -> Manifest | None:
    """The folder's manifest, None without one of ours; a UserError where it is damaged, or of a later version."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:  # of JSON, or of UTF-8
        raise UserError(f"{path} is no JSON ({error}); write the set anew") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    if content.get("version") != VERSION:
        raise UserError(f"{path} has version {content.get('version')}, not {VERSION}; update, or write the set anew")
    return bind(content, Manifest, str(path))


def check(folder: Path, manifest: Manifest) -> None:
    """Compares every file of the frozen set with its hash; the UserError names one that is missing or differs."""
    index = folder / INDEX
    if sha256(index) != manifest.index_sha256:
        raise UserError(_differs(index))
    rows = index_rows(folder)
    files = [folder / row["file"] for row in rows]
    for row, file, found in zip(rows, files, read_all(sha256, files, "checking")):
        if found != row["sha256"]:
            raise UserError(_differs(file))


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; nothing for a file that is not there."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _differs(file: Path) -> str:
    what = "is not what" if file.is_file() else "is missing, but"
    return f"{file} {what} {MANIFEST} was written for; write the set anew, or remove {MANIFEST} if it was meant"


def find(folder: Path) -> list[Path]:
    """The folder's mask files, in the order of its `index.csv` or else of their relative paths, at any depth.

    Files that an index names may be absent.
    """
    indexed = [folder / row["file"] for row in index_rows(folder) if row.get("file")]
    return indexed or [file for file in list_images(folder).values() if file.is_file()]


def index_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the folder's `index.csv`; none without it or its column `file`; a UserError where it is no text."""
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
