"""Checkpoints of a run: atomic, asynchronous, and the newest one that can be read is the one that counts."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import options as ocp_options

from scan_jax.errors import UserError
from scan_jax.run_layout import DAMAGE, first_line
from scan_jax.training.provenance import Provenance
from scan_jax.training.state import TrainState

log = logging.getLogger(__name__)

SPACE_FACTOR = 1.5  # of a state's bytes: what Orbax needs on the way to a checkpoint


class Checkpoints:
    """The folder `checkpoints/` of a run.

    A step counts only once its commit file stands, so a process killed while writing leaves nothing that looks whole.
    """

    def __init__(self, folder: Path, keep: int, data: Provenance | None = None) -> None:
        """Opens or makes the folder.

        Args:
          folder: where the steps lie.
          keep: how many of the newest are kept.
          data: what the run is trained on, written beside each state.
        """
        self._folder, self._data = folder, dict(data or {})
        atomicity = ocp_options.AtomicityOptions(mode=ocp_options.AtomicityMode.COMMIT_FILE)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=True,
            cleanup_tmp_directories=True,
            enable_async_checkpointing=True,
            atomicity_options=atomicity,
        )
        self._manager = ocp.CheckpointManager(folder, options=options, item_names=("state",))

    def save(self, step: int, state: TrainState) -> None:
        """Begins to write `state`; the previous write must have succeeded, and is waited for.

        Raises:
          UserError: the disk is full or cannot be written to.
        """
        if step in self._manager.all_steps():
            return
        self._check_space(sum(leaf.nbytes for leaf in jax.tree.leaves(state)))
        args = ocp.args.Composite(state=_as_args(state))
        self._guarded(lambda: self._manager.save(step, args=args, force=True, custom_metadata=self._data))

    def _check_space(self, needed: int) -> None:
        """Refuses early: a disk that fills up while Orbax writes costs hundreds of lines from its threads."""
        free = shutil.disk_usage(self._folder).free
        if free < SPACE_FACTOR * needed:
            raise UserError(
                f"the disk of {self._folder} is full: a checkpoint takes {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB "
                "are free; make room and run the same command again, it goes on from the last good checkpoint"
            )

    def restore(self, like: TrainState) -> TrainState | None:
        """The newest state that can be read, or None where there is no checkpoint at all.

        Args:
          like: shapes, types and shardings, as `jax.ShapeDtypeStruct`s.

        Raises:
          UserError: there are checkpoints, but none can be read.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        for step in steps:
            try:
                restored = self._manager.restore(step, args=ocp.args.Composite(state=_as_restore_args(like)))
            except DAMAGE as error:
                log.warning(
                    "checkpoint %s/%d is damaged (%s); trying the one before", self._folder, step, first_line(error)
                )
                continue
            self._forget_after(step)
            return TrainState(**restored["state"])
        if steps:
            raise UserError(f"none of the {len(steps)} checkpoints in {self._folder} can be read; move the folder away")
        return None

    def _forget_after(self, step: int) -> None:
        """Removes the damaged steps after the one that was restored, so that they can be written anew."""
        for damaged in self._manager.all_steps():
            if damaged > step:
                self._manager.delete(damaged)

    @contextlib.contextmanager
    def finished(self) -> Iterator[None]:
        """A context at whose end, come what may, everything is on disk.

        Raises:
          UserError: a write in the background failed.
        """
        try:
            yield
        finally:
            self._guarded(self._manager.wait_until_finished)

    def close(self) -> None:
        """Waits and lets go of the folder."""
        self._guarded(self._manager.close)

    def _guarded(self, action: Callable[[], Any]) -> None:
        """Runs `action`; a failed write becomes one line."""
        try:
            action()
        except (OSError, ValueError) as error:
            raise UserError(
                f"cannot write a checkpoint to {self._folder}: {first_line(error)}; free some disk space and run the "
                "same command again, it goes on from the last good checkpoint"
            ) from error


def _as_args(state: TrainState) -> ocp.args.StandardSave:
    """The state as a plain dict, which other programs can read without this class."""
    return ocp.args.StandardSave(_as_dict(state))


def _as_restore_args(like: TrainState) -> ocp.args.StandardRestore:
    return ocp.args.StandardRestore(_as_dict(like))


def _as_dict(state: TrainState) -> dict[str, Any]:
    """One level of the dataclass as a dict; the trees below are dicts already."""
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def abstract(state: Any, shardings: Any) -> Any:
    """The shapes, types and shardings of `state`, without its memory."""
    return jax.tree.map(lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at), state, shardings)
