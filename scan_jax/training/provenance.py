"""What a run was trained and measured on: kept in its folder and in every checkpoint, and compared when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DATA

Provenance = Mapping[str, str]  # "train", "held_out" and "holes" in a line each, "train_digest" and so on


def keep(folder: Path, data: Provenance) -> None:
    """Writes `data` into a new run folder, or checks that an old run saw the same.

    Raises:
      UserError: the photographs or holes are others than when the run began, or the folder cannot be written to.
    """
    path = folder / DATA
    if path.exists():
        _compare(path, data)
    write_atomically(path, (json.dumps(dict(data), indent=2) + "\n").encode())


def _compare(path: Path, data: Provenance) -> None:
    """Refuses other digests; a folder that was moved or renamed is the same."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); remove it, if the data are as they were") from error
    changed = [
        f"{name}: {before.get(name)} is now {data[name]}"
        for name in ("train", "held_out", "holes")
        if before.get(f"{name}_digest") != data[f"{name}_digest"]
    ]
    if changed:
        raise UserError(
            f"{path.parent} was begun with other data ({'; '.join(changed)}); restore them, or choose another --workdir"
        )
