"""What may go wrong where checkpoints are written, said in one line."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from scan_jax.core.checkpoint_folder import is_bucket
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import first_line

SPACE_FACTOR = 1.5  # of a state's bytes: what Orbax needs on the way to a checkpoint
SPACE_BESIDES = 1_000_000  # bytes: for all that it notes of the arrays
GO_ON = "run the same command again, it goes on from the last good checkpoint"
# What Orbax and TensorStore raise where a disk is full or read-only, or a bucket out of reach.
UNWRITABLE = (OSError, ValueError, RuntimeError)


def require_room(folder: Path, needed: int) -> None:
    """Refuses early: a disk that fills up while Orbax writes costs hundreds of lines from its threads.

    Args:
      folder: of checkpoints; a bucket has room.
      needed: bytes of a state.

    Raises:
      UserError: the disk has too little.
    """
    if is_bucket(folder):
        return
    free = shutil.disk_usage(folder).free
    if free < SPACE_FACTOR * needed + SPACE_BESIDES:
        raise UserError(
            f"the disk of {folder} is full: a checkpoint takes {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are free; "
            f"make room and {GO_ON}"
        )


def failure(folder: Path, error: Exception) -> UserError:
    """What the user is told of a write that failed."""
    return UserError(f"cannot write a checkpoint to {folder}: {_reason(error)}; put that right and {GO_ON}")


def _reason(error: Exception) -> str:
    """What the operating system said, which TensorStore has in the middle of very long messages."""
    told = (os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO))
    return next((reason for reason in told if reason in str(error)), first_line(error))
