"""Checkpoints of a run: atomic, asynchronous, and the newest one that can be read is the one that counts."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import options as ocp_options
from orbax.checkpoint.checkpoint_managers import PolicyCheckpointInfo, PreservationContext, PreservationPolicy

from scan_jax.core import checkpoint_folder
from scan_jax.core.checkpoint_folder import STATE, Ledger, is_bucket
from scan_jax.core.distributed import broadcast_from_zero, everywhere, is_first, on_process_zero
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DAMAGE, first_line
from scan_jax.training.run_folder import Provenance
from scan_jax.training.step import TrainState, as_dict

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of a run, in its folder or in a bucket; every method is called by all processes.

    A step counts only once its commit file stands, so a process killed while writing leaves nothing that looks whole.
    """

    def __init__(self, folder: Path, keep: Keep, data: Provenance | None = None) -> None:
        """Opens or makes `folder`, an absolute one; `data` is what the run is trained on, written beside each state.

        UserError where the folder cannot be written to, or the notes in it are damaged.
        """
        self._folder, self._data = folder, dict(data or {})
        on_process_zero(lambda: checkpoint_folder.require_writable(folder))
        on_process_zero(lambda: Ledger.read(folder))  # its failure is everybody's
        self._ledger = Ledger.parse(broadcast_from_zero(Ledger.read(folder).dump() if is_first() else ""))
        self._manager = _open(folder, keep, lambda: self._ledger)
        self._ledger = self._ledger.of(self._manager.all_steps())
        self._damaged: set[int] = set()
        self._watcher = concurrent.futures.ThreadPoolExecutor(1, "checkpoint")
        self._writing: concurrent.futures.Future[None] | None = None
        self._reported = False  # that a write failed

    def steps(self) -> list[int]:
        """Those that there are, from the oldest; the one that is being written counts."""
        return sorted(set(self._manager.all_steps()) - self._damaged)

    def save(self, step: int, state: TrainState) -> None:
        """Begins to write `state`, after the last one; a UserError if that failed, or the disk is full or read-only."""
        if step in self.steps():
            return
        on_process_zero(lambda: _require_room(self._folder, sum(leaf.nbytes for leaf in jax.tree.leaves(state))))
        if step in self._damaged:
            self._guarded(lambda: self._manager.delete(step))
            self._damaged.discard(step)
        args = ocp.args.Composite(**{STATE: ocp.args.StandardSave(as_dict(state))})
        self._guarded(lambda: self._manager.save(step, args=args, force=True, custom_metadata=self._data))
        self._writing = self._watcher.submit(self._manager.wait_until_finished)

    def check(self) -> None:
        """Raises a UserError if the last write has failed; one that still runs is not waited for."""
        if self._writing is not None and self._writing.done():
            self._guarded(self._writing.result)

    def restore(self, like: TrainState) -> TrainState | None:
        """The newest state that every process can read, or None where there is no checkpoint at all.

        `like` are shapes, types and shardings, as `jax.ShapeDtypeStruct`s; on any number of devices and any mesh.
        UserError where there are checkpoints, but none can be read.
        """
        self._guarded(self._manager.wait_until_finished)
        steps = self.steps()
        for step in reversed(steps):
            state = self._read(like, step)
            if everywhere(state is not None):
                # Not deleted because they could not be read once; they are written anew when their step is reached.
                self._damaged |= {other for other in steps if other > step}
                return state
        if steps:
            raise UserError(f"none of the {len(steps)} checkpoints in {self._folder} can be read; move the folder away")
        return None

    def _read(self, like: TrainState, step: int) -> TrainState | None:
        """None where this process cannot; not by the manager, which would wait there for the others."""
        try:
            return read_state(self._folder, step, like)
        except DAMAGE as error:
            log.warning("checkpoint %s/%d is damaged (%s)", self._folder, step, first_line(error))
            return None

    def score(self, step: int, psnr: float) -> None:
        """Notes the PSNR on held-out photographs, in dB, of the network of a step; one that was not saved is forgotten.

        UserError where the folder cannot be written to.
        """
        # That of process 0 counts, so that all keep and delete the same.
        agreed = float(broadcast_from_zero(repr(float(psnr))))
        self._note(Ledger({**self._ledger.psnr, step: agreed}, self._ledger.pinned))

    def pin(self, step: int) -> None:
        """Keeps a step, whatever comes; ValueError: there is no such checkpoint, UserError: it cannot be noted."""
        if step not in self.steps():
            raise ValueError(f"there is no checkpoint {step} to pin, only {self.steps()}")
        self._note(Ledger(self._ledger.psnr, self._ledger.pinned | {step}))

    def _note(self, ledger: Ledger) -> None:
        """Takes over what is said of the steps that there are, here and beside the checkpoints."""
        ledger = ledger.of(self._manager.all_steps())
        if ledger != self._ledger:
            self._ledger = ledger
            on_process_zero(lambda: ledger.write(self._folder))

    @contextlib.contextmanager
    def finished(self) -> Iterator[None]:
        """A context at whose end, come what may, everything is on disk; a UserError where that failed."""
        try:
            yield
        finally:
            self._guarded(self._manager.wait_until_finished)

    def close(self) -> None:
        """Waits and lets go of the folder; a UserError where a write failed and nobody was told of it."""
        reported = self._reported
        try:
            self._guarded(self._manager.close)
        except UserError:
            if not reported:
                raise
        finally:
            self._watcher.shutdown()

    def _guarded(self, action: Callable[[], Any]) -> None:
        """Runs `action`; a failed write becomes one line."""
        try:
            action()
        except UNWRITABLE as error:
            self._reported = True
            why = f"{_reason(error)}; put that right and {GO_ON}"
            raise UserError(f"cannot write a checkpoint to {self._folder}: {why}") from error


def _open(folder: Path, keep: Keep, noted: Callable[[], Ledger]) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        create=True,
        cleanup_tmp_directories=True,
        enable_async_checkpointing=True,
        # A folder that cannot be made would leave threads behind that wait for it for minutes after the run has ended.
        async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
        lightweight_initialize=True,  # times and metrics of each step are not used, and cost requests in a bucket
        preservation_policy=_Policy(keep, noted),
        atomicity_options=ocp_options.AtomicityOptions(mode=ocp_options.AtomicityMode.COMMIT_FILE),
    )
    return ocp.CheckpointManager(folder, options=options, item_names=(STATE,))


def read_state(folder: Path, step: int, like: TrainState) -> TrainState:
    """The state of a step, as `checkpoint_folder.read` has it."""
    return TrainState(**checkpoint_folder.read(folder, step, as_dict(like)))


def abstract(state: Any, shardings: Any) -> Any:
    """The shapes, types and shardings of `state`, without its memory."""
    return jax.tree.map(lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at), state, shardings)


@dataclasses.dataclass(frozen=True)
class Keep:
    """What a run keeps besides pinned checkpoints; whatever one of the three wants stays."""

    latest: int  # so many of the newest, at least 1
    every: int = 0  # those whose step it divides; 0 for none
    best: int = 0  # so many of those with the highest PSNR on held-out photographs


@dataclasses.dataclass(frozen=True)
class _Policy(PreservationPolicy):
    """What Orbax asks after every checkpoint; `noted` is what is known of the checkpoints when it asks."""

    keep: Keep
    noted: Callable[[], Ledger]

    def should_preserve(
        self, checkpoints: Sequence[PolicyCheckpointInfo], *, context: PreservationContext
    ) -> Sequence[bool]:
        keep, ledger, steps = self.keep, self.noted(), [one.step for one in checkpoints]
        kept = {*steps[-keep.latest :], *ledger.pinned, *ledger.best(steps)[: keep.best]}
        return [step in kept or bool(keep.every and step % keep.every == 0) for step in steps]


SPACE_FACTOR = 1.5  # of a state's bytes: what Orbax needs on the way to a checkpoint
SPACE_BESIDES = 1_000_000  # bytes: for all that it notes of the arrays
GO_ON = "run the same command again, it goes on from the last good checkpoint"
# What Orbax and TensorStore raise where a disk is full or read-only, or a bucket out of reach.
UNWRITABLE = (OSError, ValueError, RuntimeError)


def _require_room(folder: Path, needed: int) -> None:
    """Refuses a state of so many bytes early: a disk that fills up as Orbax writes costs its threads' hundred lines."""
    if is_bucket(folder):  # which has room
        return
    free = shutil.disk_usage(folder).free
    if free < SPACE_FACTOR * needed + SPACE_BESIDES:
        raise UserError(
            f"the disk of {folder} is full: a checkpoint takes {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are free; "
            f"make room and {GO_ON}"
        )


def _reason(error: Exception) -> str:
    """What the operating system said, which TensorStore has in the middle of very long messages."""
    reasons = (os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO))
    return next((reason for reason in reasons if reason in str(error)), first_line(error))
