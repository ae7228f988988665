"""What filling needs of a run folder: its config and the newest whole checkpoint's networks, not the optimisers."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.errors import UserError
from scan_jax.methods.api import Trees, Variables
from scan_jax.run_layout import CHECKPOINTS, COMMIT_FILE, CONFIG, DAMAGE, first_line

log = logging.getLogger(__name__)


def read_config(run: Path) -> dict[str, Any]:
    """The config that the run was made with.

    Raises:
      UserError: there is no such folder, it is not a run's, or its config is damaged.
    """
    if not run.is_dir():
        raise UserError(f"there is no run folder {run}; give the --workdir of a training run")
    path = run / CONFIG
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(f"{run} is not a run folder: it has no config.json; give a training run's --workdir") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; restore the file or train anew") from error


def committed_steps(run: Path) -> list[int]:
    """The steps of all checkpoints that were written to their end, newest first."""
    found = (run / CHECKPOINTS).glob(f"*/{COMMIT_FILE}")
    return sorted((int(path.parent.name) for path in found if path.parent.name.isdigit()), reverse=True)


def restore(run: Path) -> tuple[int, Variables]:
    """The newest checkpoint that can be read; the moving average stands in for the networks that have one.

    Returns:
      The step, and variables on the host.

    Raises:
      UserError: there is no checkpoint, or none that can be read; never random weights instead.
    """
    steps = committed_steps(run)
    for step in steps:
        try:
            return step, _restore_step(run.absolute() / CHECKPOINTS / str(step) / "state")
        except DAMAGE as error:
            log.warning("checkpoint %d of %s is damaged (%s); trying the one before", step, run, first_line(error))
    if steps:
        raise UserError(f"none of the {len(steps)} checkpoints of {run} can be read; train on to write a new one")
    raise UserError(f"{run} has no checkpoint yet; train it first, or wait until the run has saved one")


def _restore_step(path: Path) -> Variables:
    """The moving averages, the parameters of the networks without one, and the statistics; as NumPy arrays."""
    import orbax.checkpoint as ocp  # a second to import, and needed for run folders alone

    handler = ocp.PyTreeCheckpointHandler()
    try:
        tree = handler.metadata(path).tree
        averaged = tree["ema"].keys()
        wanted = {
            "ema": tree["ema"],
            "params": {name: network for name, network in tree["params"].items() if name not in averaged},
            "stats": tree["stats"],
        }
        target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), wanted)
        on_host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), target)
        arguments = ocp.args.PyTreeRestore(target, restore_args=on_host, partial_restore=True)
        restored = handler.restore(path, args=arguments)
    finally:
        handler.close()
    return Variables({**restored["params"], **restored["ema"]}, restored["stats"])


def parameter_hash(params: Trees) -> str:
    """SHA-256 (hex) of names, shapes, types and bytes: the same hash, the same networks."""
    hasher = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}\n".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()
