"""Reads a built dataset again, all of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.data import prepared
from scan_jax.data.preparation.encoding import record_digest, split_digest
from scan_jax.data.prepared import UNREADABLE, Record


def verify(folder: Path) -> dict[str, int]:
    """The number of records in each split, once names and pixels are known to be those that were built.

    Raises:
      UserError: there is no such dataset, or a split is another one.
    """
    dataset = prepared.load(folder)
    counts = {}
    for split, records in dataset.splits.items():
        rows = progress_bar(range(len(records)), desc=split, unit="image", mininterval=0.5)
        try:
            digest = split_digest([_digest(records[row], dataset.shapes) for row in rows])
        except UNREADABLE as error:
            raise UserError(f"{folder}: {split} cannot be read ({error}); remove it and build it again") from error
        if digest != dataset.digests[split]:
            raise UserError(
                f"{folder}: {split} is not what was built (hash {digest[:12]}); remove it and build it again"
            )
        counts[split] = len(records)
    return counts


def _digest(record: Record, shapes: Mapping[str, tuple[int | None, ...]]) -> bytes:
    arrays = {name: record[name].reshape(record[name].shape[: len(shape)]) for name, shape in shapes.items()}
    return record_digest(record["name"].decode(), arrays)
