"""Where a run's checkpoints lie, on a disk or in a bucket, and what is noted beside them: for writers and readers."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import math
import os
import typing
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import CHECKPOINTS, COMMIT_FILE, first_line

BUCKET = "gs://"
NEEDED = ("gcsfs", "google.cloud.storage")  # by paths in buckets; the latter comes with the former
LEDGER = "ledger.json"
STATE = "state"  # the folder of a step that holds its arrays


def place(run: Path, elsewhere: str) -> Path:
    """The folder of the checkpoints of `run`, absolute; for a bucket an `epath.Path`, which is used like one.

    `elsewhere` is `training.checkpoints` of its config; empty for `checkpoints` in the run folder. UserError where it
    is relative or another kind of storage, or what reads buckets is not installed.
    """
    if not elsewhere:
        return run.absolute() / CHECKPOINTS
    if elsewhere.startswith(BUCKET):
        return _in_bucket(elsewhere)
    path = Path(elsewhere.removeprefix("file://")).expanduser()
    if "://" in elsewhere.removeprefix("file://") or not path.is_absolute():
        raise UserError(
            f"training.checkpoints = {elsewhere!r} must be an absolute folder or gs://BUCKET/FOLDER; other storage can "
            "be used where it is mounted as a folder"
        )
    return path


def is_bucket(folder: Path) -> bool:
    """Whether it lies in object storage, which has no free space to ask for and knows no renaming."""
    return str(folder).startswith(BUCKET)


def _in_bucket(elsewhere: str) -> Path:
    missing = [name for name in NEEDED if not _installed(name)]
    if missing:
        raise UserError(f"training.checkpoints = {elsewhere} needs {missing[0]}; pip install 'scan_jax[gcs]'")
    os.environ.setdefault("EPATH_USE_TF", "false")  # one way to the bucket, whether TensorFlow is installed or not
    from etils import epath

    path = epath.Path(elsewhere)
    if len(path.parts) < 4:  # "/", "gs", bucket, folder
        raise UserError(f"training.checkpoints = {elsewhere} must name a folder of the bucket: gs://BUCKET/FOLDER")
    return typing.cast(Path, path)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a parent package
        return False


def write(path: Path, content: bytes) -> None:
    """The whole file or, with a UserError, the older one."""
    if not is_bucket(path):
        write_atomically(path, content)
        return
    try:
        path.write_bytes(content)  # an object appears when it is complete
    except OSError as error:
        cure = "is the bucket there, and may you write to it?"
        raise UserError(f"cannot write {path}: {_reason(error)}; {cure}") from error


def require_writable(folder: Path) -> None:
    """Makes the folder and writes to it, so that a run has its UserError now and not after hours."""
    probe = folder / f".writable.{uuid.uuid4().hex[:12]}"
    write(probe, b"")
    try:
        probe.unlink()
    except OSError as error:
        raise UserError(f"may write to {folder}, but not delete: {_reason(error)}; grant it that, too") from error


def committed_steps(folder: Path) -> list[int]:
    """The steps of all checkpoints that were written to their end, newest first; a UserError from a silent bucket."""
    try:
        names = [path.parent.name for path in folder.glob(f"*/{COMMIT_FILE}")]
    except OSError as error:
        raise UserError(f"cannot read {folder}: {_reason(error)}; is it there, and may you read it?") from error
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def arrays_in(folder: Path, step: int) -> Any:
    """What a checkpoint holds: a tree whose leaves have `shape` and `dtype`; raises DAMAGE, as `read` does."""
    import orbax.checkpoint as ocp  # a second to import

    with contextlib.closing(ocp.PyTreeCheckpointHandler()) as handler:
        return handler.metadata(folder / str(step) / STATE).tree


def read(folder: Path, step: int, like: Any, *, partial: bool = False) -> Any:
    """Arrays of the checkpoint of a step; one of DAMAGE where it is missing, damaged, or holds something else.

    `like` is a tree of `jax.ShapeDtypeStruct`s. Those with a sharding are read onto the devices that it names, wherever
    they were written from; the others come in NumPy. With `partial` the checkpoint may hold more than that.
    """
    import jax
    import numpy as np
    import orbax.checkpoint as ocp

    def how(leaf: Any) -> ocp.RestoreArgs:
        if leaf.sharding is None:
            return ocp.RestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype)
        return ocp.ArrayRestoreArgs(sharding=leaf.sharding, global_shape=leaf.shape, dtype=leaf.dtype)

    args = ocp.args.PyTreeRestore(like, restore_args=jax.tree.map(how, like), partial_restore=partial)
    with contextlib.closing(ocp.PyTreeCheckpointHandler()) as handler:
        return handler.restore(folder / str(step) / STATE, args=args)


def _reason(error: OSError) -> str:
    return f"{type(error).__name__} ({first_line(error)})"


@dataclasses.dataclass(frozen=True)
class Ledger:
    """What is known of checkpoints that was not yet known when they were written."""

    psnr: Mapping[int, float] = dataclasses.field(default_factory=dict)  # on held-out photographs, in dB, by step
    pinned: frozenset[int] = frozenset()  # steps that are kept, whatever comes

    def best(self, steps: Collection[int]) -> list[int]:
        """Those of `steps` that were measured, the best first; of equals the later one."""
        measured = [step for step in steps if math.isfinite(self.psnr.get(step, math.nan))]
        return sorted(measured, key=lambda step: (self.psnr[step], step), reverse=True)

    def of(self, steps: Collection[int]) -> Ledger:
        """Without what is said of other steps."""
        return Ledger({step: psnr for step, psnr in self.psnr.items() if step in steps}, self.pinned & set(steps))

    def dump(self) -> str:
        """As JSON; `parse` reads it."""
        psnr = {str(step): self.psnr[step] for step in sorted(self.psnr)}
        return json.dumps({"psnr": psnr, "pinned": sorted(self.pinned)}, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> Ledger:
        """From JSON, or an empty one from nothing."""
        content = json.loads(text) if text else {"psnr": {}, "pinned": []}
        psnr = {int(step): float(value) for step, value in content["psnr"].items()}
        return cls(psnr, frozenset(int(step) for step in content["pinned"]))

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """That of a folder of checkpoints, empty where there is none; a UserError where it is damaged."""
        path = folder / LEDGER
        try:
            return cls.parse(path.read_text() if path.exists() else "")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            cure = "remove it: then no checkpoint is the best"
            raise UserError(f"cannot read {path} ({first_line(error)}); {cure}") from error

    def write(self, folder: Path) -> None:
        """Into a folder of checkpoints; a UserError where it cannot be written to."""
        write(folder / LEDGER, self.dump().encode())
