"""Scores kept part by part, in a folder named after all that they depend on: interrupted work goes on where it was."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from scan_jax.atomic_write import write_atomically

log = logging.getLogger(__name__)
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
        key = hashlib.sha256("\n".join(map(str, depends_on)).encode()).hexdigest()
        self._folder = folder / f"{name}_{key[:12]}"

    def read(self, index: int) -> Part | None:
        """Part `index`, or None where it was not kept or is damaged."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s); computing it anew", path, error)
            return None

    def write(self, index: int, part: Part) -> None:
        """Keeps part `index`.

        Raises:
          UserError: the folder cannot be written to.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **part)
        write_atomically(self._path(index), buffer.getvalue())

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:05d}.npz"
