"""Hole sets on disk, the same bytes on every machine, so that results can say which holes they were measured on."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import io
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core import registry
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.images import png
from scan_jax.masks.api import SOURCES, open_holes
from scan_jax.masks.fixed_set import FixedSet, fixed_set
from scan_jax.masks.manifest import MANIFEST, Manifest, check, load
from scan_jax.masks.mask_files import INDEX, progress
from scan_jax.masks.ratio import hole_ratio, make_buckets

log = logging.getLogger(__name__)

COLUMNS = ("file", "bucket", "ratio", "sha256")


@dataclasses.dataclass(frozen=True)
class FrozenSet:
    """A written set.

    Attributes:
      folder: where `mask_folder` finds it.
      digest: of the holes, as `FixedSet.digest`.
      counts: bucket label, such as "10-20%", to holes.
    """

    folder: Path
    digest: str
    counts: Mapping[str, int]


def write(
    section: Mapping[str, Any], folder: Path, *, size: int, edges: Sequence[float], per_bucket: int, seed: int
) -> FrozenSet:
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
    _check_target(folder)
    section = {"ratio": (edges[0], edges[-1]), **section}
    fixed = fixed_set(open_holes(section).held_out, size, buckets, per_bucket, seed)
    files = {name: png.encode_hole(hole) for name, hole, _ in _named(fixed)}
    index = _index(fixed, files)
    manifest = Manifest(
        generator=section["name"],
        settings=_settings(section),
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
    return FrozenSet(folder, fixed.digest, manifest.counts)


def _settings(section: Mapping[str, Any]) -> dict[str, Any]:
    """What the source is set to, defaults included."""
    module = registry.find(SOURCES, section["name"], "config.holes.name")
    own = registry.own_keys(SOURCES, module, section)
    return dataclasses.asdict(bind(own, module.Settings, "config.holes"))


def _named(fixed: FixedSet) -> Iterator[tuple[str, Any, str]]:
    """File name, hole and bucket label of each hole, bucket by bucket."""
    for label, holes in fixed.holes.items():
        for i, hole in enumerate(holes):
            yield f"{label.removesuffix('%')}_{i:05d}.png", hole, label


def _index(fixed: FixedSet, files: Mapping[str, bytes]) -> bytes:
    """`index.csv`."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for name, hole, label in _named(fixed):
        rows.writerow((name, label, f"{hole_ratio(hole):.6f}", hashlib.sha256(files[name]).hexdigest()))
    return text.getvalue().encode()


def _check_target(folder: Path) -> None:
    """Refuses, before the work, a folder that holds anything but a frozen set."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and load(folder) is None):
        raise UserError(f"{folder} exists and is no frozen set of holes; choose another place, or remove it")


def _keep_or_write(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    if (folder / MANIFEST).is_file():
        if (folder / MANIFEST).read_bytes() != manifest.to_json():
            raise UserError(f"{folder} holds another set of holes; choose another place, or remove it")
        check(folder, manifest)
        log.info("%s is there already, %d holes, digest %s", folder, manifest.files, manifest.digest[:12])
        return
    with _new_folder(folder) as part:
        for name, content in progress(files.items(), "writing", len(files)):
            (part / name).write_bytes(content)
    log.info("wrote %d holes to %s, digest %s", manifest.files, folder, manifest.digest[:12])


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its place in the end; whatever goes wrong, even Ctrl-C, nothing is left."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        os.replace(part, folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {folder}: {reason}; free some space or choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
