"""A bundle of what fills holes in a trained run: the generator's moving average, without critic and optimisers."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from pathlib import Path

import jax

from scan_jax.errors import UserError
from scan_jax.inference.trained import EXPORTED, GENERATOR, Trained
from scan_jax.run_layout import BUNDLE, CONFIG, EVALUATION
from scan_jax.weights import bundle

log = logging.getLogger(__name__)
OURS = {BUNDLE, CONFIG, EVALUATION}  # what may lie in an older export; an evaluation of it stays


def export(trained: Trained, out: Path) -> None:
    """Writes the bundle, which `--run=` takes wherever it takes a run.

    Args:
      trained: from a run.
      out: a folder that is made; one that is there must be empty or an older export, which is replaced.

    Raises:
      UserError: `out` holds anything else, or cannot be written to; it is then as it was.
    """
    require_free(out)
    stage = out.absolute().with_name(f".{out.absolute().name}.{uuid.uuid4().hex[:12]}.part")
    noted = {"run": trained.folder.absolute().name, "step": trained.step, "generator": trained.identity}
    params, stats = trained.variables.params[GENERATOR], trained.variables.stats.get(GENERATOR, {})
    tree = {"params": {GENERATOR: params}, "stats": {GENERATOR: stats}}
    try:
        bundle.save(stage, {**trained.config, EXPORTED: noted}, tree, {key: str(value) for key, value in noted.items()})
        _put(stage, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; name another folder with --out") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    count = sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6
    log.info("wrote %s: %.2f M parameters at step %d, sha256 %s", out, count, trained.step, trained.identity)


def require_free(out: Path) -> None:
    """Refuses a folder that holds anything but an older export.

    Raises:
      UserError: it does, or is no folder.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file; name a folder with --out")
    found = {path.name for path in out.iterdir()}
    if found and (not found <= OURS or not _is_export(out / CONFIG)):
        raise UserError(f"{out} holds something else ({min(found)}); name a new or an empty folder with --out")


def _is_export(path: Path) -> bool:
    try:
        return EXPORTED in json.loads(path.read_text())
    except (OSError, ValueError):
        return False


def _put(stage: Path, out: Path) -> None:
    """Both files at once into a new folder; an older export is none while it changes, for it has no config then."""
    if not (out / CONFIG).exists():
        os.replace(stage, out)
        return
    (out / CONFIG).unlink()
    os.replace(stage / BUNDLE, out / BUNDLE)
    os.replace(stage / CONFIG, out / CONFIG)
