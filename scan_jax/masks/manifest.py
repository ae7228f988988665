"""What a frozen set of holes says of itself: how it was drawn, how many there are, and the hash of every file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.masks import mask_files

MANIFEST = "manifest.json"
FORMAT = "frozen holes"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`.

    Attributes:
      generator: the name of the source.
      settings: the source's, defaults included.
      seed: of the draws.
      size: height and width in pixels.
      edges: of the ratio buckets, (edges[i], edges[i+1]].
      per_bucket: holes asked for in each.
      counts: bucket label to holes that are there.
      files: holes in all.
      digest: of the `FixedSet`: labels, sizes and bits.
      index_sha256: of `index.csv`, which holds the hash of each file.
      format: tells this file from other programs' manifests.
      version: of the format.
    """

    generator: str
    settings: Mapping[str, Any]
    seed: int
    size: int
    edges: tuple[float, ...]
    per_bucket: int
    counts: Mapping[str, int]
    files: int
    digest: str
    index_sha256: str
    format: str = FORMAT
    version: int = VERSION

    def to_json(self) -> bytes:
        """The file, the same bytes on every machine."""
        return (json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n").encode()


def load(folder: Path) -> Manifest | None:
    """The folder's manifest; None where it has none, or another program's.

    Raises:
      UserError: it is damaged, or of a later version.
    """
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
    """Compares every file of the frozen set with its hash.

    Raises:
      UserError: a file is missing or has other bytes; it is named.
    """
    index = folder / mask_files.INDEX
    if sha256(index) != manifest.index_sha256:
        raise UserError(_differs(index))
    rows = mask_files.index_rows(folder)
    files = [folder / row["file"] for row in rows]
    for row, file, found in zip(rows, files, mask_files.read_all(sha256, files, "checking")):
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
