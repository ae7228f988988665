"""A run as it was at a step, from a checkpoint that is only read."""

from __future__ import annotations

from pathlib import Path

import orbax.checkpoint as ocp

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DAMAGE, first_line
from scan_jax.methods.api import Variables
from scan_jax.training.checkpoints import abstract
from scan_jax.training.setup import Trainer
from scan_jax.training.state import TrainState, as_dict


def state_at(trainer: Trainer, folder: Path, step: int, networks: Variables | None) -> TrainState:
    """What a run was after `step`; nothing in the folder is changed.

    Args:
      trainer: of the run.
      folder: of its checkpoints.
      step: one that has a checkpoint, or 0 for the begin.
      networks: that the run began with, if not with random ones.

    Raises:
      UserError: the checkpoint is gone or cannot be read.
    """
    if step == 0:
        return trainer.begin(networks)
    like = as_dict(abstract(trainer.shapes, trainer.shardings))
    try:
        with ocp.StandardCheckpointer() as reader:
            restored = reader.restore(folder / str(step) / "state", like)
    except DAMAGE as error:
        raise UserError(f"checkpoint {step} in {folder} cannot be read ({first_line(error)})") from error
    return trainer.own(TrainState(**restored))
