"""A run folder belongs to one config: what may change between two starts, and what must not."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.checkpoint_folder import write
from scan_jax.core.config import bind, flatten
from scan_jax.core.distributed import ALIKE
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import CONFIG, DATA, VERSIONS, read_sections

log = logging.getLogger(__name__)

# Where data lies and how often things happen do not change what a step computes.
MAY_CHANGE = frozenset(
    f"{section}.{key}"
    for section, keys in {
        "data": ("path", "held_out_path", "data_dir"),
        "holes": ("path", "held_out_path", "data_dir"),
        "training": (
            *("log_every", "checkpoint_every", "evaluate_every", "pictures_every", "threads", "workers"),
            *("keep", "keep_every", "keep_best"),
            *("guard.enabled", "guard.spike", "guard.window", "guard.retries"),
        ),
        "evaluation": ("batch_size",),
    }.items()
    for key in keys
)

LENGTH = "training.steps"  # may change, too, where no learning rate falls to the run's end


def claim(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes `config` into a new run folder, or checks that an old one was made with it.

    UserError where the folder belongs to another config (every difference is listed), or cannot be written to.
    """
    path = folder / CONFIG
    config = json.loads(json.dumps(config))  # tuples become lists, as they do on disk
    if path.exists():
        cure = "remove the run folder or choose another --workdir"
        _compare(folder, flatten(read_sections(path, cure)), flatten(config))
    write(path, f"{json.dumps(config, indent=2)}\n".encode())


def _compare(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuses any difference outside `MAY_CHANGE`."""
    missing = object()
    falling = any(key.endswith(".schedule") and value != "constant" for key, value in new.items())
    may_change = MAY_CHANGE if falling else MAY_CHANGE | {LENGTH}
    differing = {
        key: f"{key}: {old.get(key, '(none)')!r} -> {new.get(key, '(none)')!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key, missing) != new.get(key, missing) and key not in may_change
    }
    if differing.keys() == {LENGTH}:
        raise UserError(
            f"{folder} has learning rates that fall to the run's end, so its length is fixed ({differing[LENGTH]}); "
            f"begin another run from its networks: --workdir=NEW --config.training.start_from={folder}"
        )
    if differing:
        cure = "choose another --workdir, or give the same values"
        raise UserError(f"{folder} belongs to another config ({'; '.join(differing.values())}); {cure}")


Provenance = Mapping[str, str]  # "train", "held_out" and "holes" in a line each, "train_digest" and so on


def keep(folder: Path, data: Provenance) -> None:
    """Writes `data` into a new run folder, or checks that an old run saw the same.

    UserError where the photographs or holes are others than when the run began, or the folder cannot be written to.
    """
    path = folder / DATA
    if path.exists():
        before = read_sections(path, "remove it, if the data are as they were")
        changed = "; ".join(
            f"{name}: {before.get(name)} is now {data[name]}"
            for name in ("train", "held_out", "holes")
            if before.get(f"{name}_digest") != data[f"{name}_digest"]  # a folder that was moved or renamed is the same
        )
        if changed:
            cure = "restore them, or choose another --workdir"
            raise UserError(f"{folder} was begun with other data ({changed}); {cure}")
    write_atomically(path, f"{json.dumps(dict(data), indent=2)}\n".encode())


@dataclasses.dataclass(frozen=True)
class Versions:
    """The contents of `versions.json`."""

    starts: tuple[Mapping[str, str], ...]  # packages and their versions, of each start that had others


def note_versions(folder: Path) -> None:
    """Adds those of this start to a run folder's where they are not those of the last one, and says so.

    UserError where the folder cannot be written to.
    """
    now = {name: metadata.version(name) for name in (*ALIKE, "orbax-checkpoint")}
    now["python"] = platform.python_version()
    path = folder / VERSIONS
    before = bind(read_sections(path, "remove it"), Versions, str(path)).starts if path.exists() else ()
    if before[-1:] == (now,):
        return
    if before:
        other = (f"{name} {before[-1].get(name)} -> {now[name]}" for name in now if before[-1].get(name) != now[name])
        log.warning("other versions than before (%s): the same steps need not have the same bits", ", ".join(other))
    write_atomically(path, f"{json.dumps({'starts': [*before, now]}, indent=2)}\n".encode())
