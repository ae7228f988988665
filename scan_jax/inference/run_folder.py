"""What filling needs of a run folder: its config and the networks of a whole checkpoint, not the optimisers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.core import checkpoint_folder
from scan_jax.core.checkpoint_folder import Ledger
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import COMMIT_FILE as COMMIT_FILE
from scan_jax.core.run_layout import CONFIG, DAMAGE, first_line
from scan_jax.methods.api import Trees, Variables

log = logging.getLogger(__name__)
NEWEST, BEST = "newest", "best"  # in place of a step


def split(name: Path) -> tuple[Path, str]:
    """Which run, and which of its checkpoints: RUN is the newest, RUN@best and RUN@4000 name one.

    Args:
      name: as the user gives it, such as runs/celeba@best. A run folder of that very name is itself meant.

    Raises:
      UserError: what follows the @ is neither.
    """
    run, at, which = name.name.rpartition("@")
    folder = name.with_name(run) if run else name
    if not at or not run or (name / CONFIG).exists() or not folder.is_dir():
        return name, NEWEST
    if which not in (NEWEST, BEST) and not which.isdecimal():
        raise UserError(f"{name}: after the @ stands {BEST}, {NEWEST} or a step such as 4000, not {which!r}")
    return folder, which


def read_config(run: Path) -> dict[str, Any]:
    """The config that the run was made with.

    Raises:
      UserError: there is no such folder, it is not a run's, or its config is damaged.
    """
    if not run.is_dir():
        raise UserError(f"there is no run folder {run}; give the --workdir of a training run")
    path = run / CONFIG
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(f"{run} is not a run folder: it has no config.json; give a training run's --workdir") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; restore the file or train anew") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} is damaged: it holds no sections; restore the file or train anew")
    return config


def checkpoints_of(run: Path) -> Path:
    """Where the run's checkpoints lie: in its folder, or where its config says.

    Raises:
      UserError: the config is damaged, or what reads buckets is not installed.
    """
    training = read_config(run).get("training", {}) if (run / CONFIG).is_file() else {}
    return checkpoint_folder.place(run, training.get("checkpoints", ""))


def committed_steps(run: Path) -> list[int]:
    """The steps of all checkpoints that were written to their end, newest first.

    Raises:
      UserError: the place that the config names is out of reach.
    """
    return checkpoint_folder.committed_steps(checkpoints_of(run))


def restore(run: Path, which: str = NEWEST) -> tuple[int, Variables]:
    """Networks of a checkpoint; the moving average stands in for the networks that have one.

    Args:
      run: the run folder.
      which: a step, "best" for that with the highest PSNR on held-out photographs among those that were kept, or
        "newest" for the newest that can be read.

    Returns:
      The step, and variables on the host.

    Raises:
      UserError: there is no checkpoint, not that one, or none that can be read; never random weights instead.
    """
    folder = checkpoints_of(run)
    steps = checkpoint_folder.committed_steps(folder)
    if not steps:
        raise UserError(f"{run} has no checkpoint yet; train it first, or wait until the run has saved one")
    wanted = steps if which == NEWEST else [_find(run, which, steps, Ledger.read(folder))]
    for step in wanted:
        try:
            return step, _restore_step(folder / str(step) / "state")
        except DAMAGE as error:
            log.warning("checkpoint %d of %s is damaged (%s)", step, run, first_line(error))
    if which != NEWEST:
        raise UserError(f"checkpoint {wanted[0]} of {run} cannot be read; there are: {_list(steps)}")
    raise UserError(f"none of the {len(steps)} checkpoints of {run} can be read; train on to write a new one")


def _find(run: Path, which: str, steps: Sequence[int], ledger: Ledger) -> int:
    """The step that is meant."""
    best = ledger.best(steps)
    if which == BEST:
        if not best:
            raise UserError(
                f"no checkpoint of {run} was measured while it trained, so none is the best (training.keep_best and "
                f"evaluate_every see to that); there are: {_list(steps)}"
            )
        return best[0]
    if int(which) not in steps:
        which_is_best = f", of which {best[0]} is the best" if best else ""
        raise UserError(f"{run} has no checkpoint {which}; there are: {_list(steps)}{which_is_best}")
    return int(which)


def _list(steps: Sequence[int]) -> str:
    """In the order in which they were written."""
    return ", ".join(map(str, sorted(steps)))


def _restore_step(path: Path) -> Variables:
    """The moving averages, the parameters of the networks without one, and the statistics; as NumPy arrays."""
    import orbax.checkpoint as ocp  # a second to import, and needed for run folders alone

    handler = ocp.PyTreeCheckpointHandler()
    try:
        tree = handler.metadata(path).tree
        others = {name: network for name, network in tree["params"].items() if name not in tree["ema"]}
        wanted = {"ema": tree["ema"], "stats": tree["stats"]}
        if others:  # an empty tree is none to Orbax
            wanted["params"] = others
        target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), wanted)
        on_host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), target)
        arguments = ocp.args.PyTreeRestore(target, restore_args=on_host, partial_restore=True)
        restored = handler.restore(path, args=arguments)
    finally:
        handler.close()
    return Variables({**restored.get("params", {}), **restored["ema"]}, restored["stats"])


def parameter_hash(params: Trees) -> str:
    """SHA-256 (hex) of names, shapes, types and bytes: the same hash, the same networks."""
    hasher = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}\n".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()
