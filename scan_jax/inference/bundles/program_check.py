"""Whether an exported program answers as the network does that it was made from."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import jax
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import CONFIG, PROGRAM
from scan_jax.inference.bundles import program
from scan_jax.inference.bundles.artefact import Artefact
from scan_jax.inference.trained import GENERATOR, Trained
from scan_jax.weights import bundle, safetensors_tree

log = logging.getLogger(__name__)
CHECKED = ((2, 3, 5), (1, 7, 3))  # batch, and height and width in strides


def check_program(folder: Path, trained: Trained) -> None:
    """Compares both at odd sizes, on a CPU where the program is for one: accelerators round as they like.

    Args:
      folder: a bundle.
      trained: what it was made from.

    Raises:
      UserError: they differ by `program.TOLERANCE` or more.
    """
    platforms = json.loads((folder / CONFIG).read_text())[bundle.SECTION]["platforms"]
    device = _device(platforms)
    if device is None:
        log.warning("%s was not checked: this machine has no %s", PROGRAM, " or ".join(platforms))
        return
    stride, size = trained.method.stride, program.fixed_size(trained.config)
    checked = ((2, size // stride, size // stride),) if size else CHECKED
    with jax.default_device(device):
        differences = [_difference(Artefact.load(folder), trained, *each) for each in checked]
    sizes = " and ".join(f"{columns * stride}x{rows * stride}" for _, rows, columns in checked)
    if not max(differences) < program.TOLERANCE:  # nor NaN
        raise UserError(
            f"{PROGRAM} differs from the network by {max(differences):.1e} at {sizes}; leave it out: --no_stablehlo"
        )
    log.info("checked %s against the network at %s: largest difference %.1e", PROGRAM, sizes, max(differences))


def _device(platforms: list[str]) -> jax.Device | None:
    """A CPU, or the default device; None where the program is not for it."""
    if "cpu" in platforms:
        return jax.local_devices(backend="cpu")[0]
    default = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    return jax.local_devices()[0] if default in platforms else None


def _difference(artefact: Artefact, trained: Trained, batch: int, rows: int, columns: int) -> float:
    """The largest on noise with a hole, at so many strides."""
    stride, classes = trained.method.stride, trained.method.num_labels
    seen = program.example((batch, rows * stride, columns * stride), classes)
    networks = ({GENERATOR: tree.get(GENERATOR, {})} for tree in (trained.variables.params, trained.variables.stats))
    arrays = safetensors_tree.flatten(dict(zip(("params", "stats"), networks)))
    source = jax.jit(program.make_fill(program.in_full_precision(trained.config["method"])))
    answer, truth = artefact(*seen), source(arrays, *seen)  # [B,H,W,3] both
    return float(np.max(np.abs(np.asarray(answer) - np.asarray(truth))))
