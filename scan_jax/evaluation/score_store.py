"""Scores kept part by part, in a folder named after all that they depend on: interrupted work goes on where it was."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from scan_jax.core.atomic_write import write_atomically

log = logging.getLogger(__name__)
VERSION = 1  # raised whenever the toolkit's own code would give another score, so that kept ones are not taken for it
CHECKSUM = hashlib.sha256().digest_size  # bytes in front of the arrays
Part = Mapping[str, np.ndarray]  # what was found of some rows, by name; the rows in front


class ScoreStore:
    """One folder of scores."""

    def __init__(self, folder: Path, name: str, depends_on: Iterable[object]) -> None:
        """Creates nothing yet.

        Args:
          folder: where the folders of scores lie.
          name: of what filled the holes.
          depends_on: digests, counts and definitions; with any other of them the scores are computed anew.
        """
        key = hashlib.sha256("\n".join(map(str, (VERSION, *depends_on))).encode()).hexdigest()
        self._folder = folder / f"{name}_{key[:12]}"

    def read(self, index: int) -> Part | None:
        """Part `index`, or None where it was not kept or is damaged."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            content = path.read_bytes()
        except OSError as error:
            log.warning("%s cannot be read (%s); computing it anew", path, error)
            return None
        checksum, arrays = content[:CHECKSUM], content[CHECKSUM:]
        if hashlib.sha256(arrays).digest() != checksum:
            log.warning("%s is damaged; computing it anew", path)
            return None
        with np.load(io.BytesIO(arrays), allow_pickle=False) as stored:
            return dict(stored)

    def write(self, index: int, part: Part) -> None:
        """Keeps part `index`.

        Raises:
          UserError: the folder cannot be written to.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **part)
        arrays = buffer.getvalue()
        write_atomically(self._path(index), hashlib.sha256(arrays).digest() + arrays)

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:05d}.scores"
