"""What lies where in a run folder or a bundle, for those who write it and those who read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scan_jax.core.errors import UserError

CONFIG = "config.json"
DATA = "data.json"  # names and hashes of what it was trained and measured on
VERSIONS = "versions.json"  # of the packages that it was begun and continued under
SCALARS = "scalars.jsonl"
INCIDENTS = "incidents.json"  # bad steps, and the batches that were passed over because of them
CHECKPOINTS = "checkpoints"
SCORES = "scores"  # of what was measured, to go on from
EVALUATION = "evaluation"  # tables and reports of the finished network
BUNDLE = "model.safetensors"  # instead of checkpoints, where there is nothing to train on
PROGRAM = "fill.stablehlo"  # the same network, for those who have JAX and no code of ours
ONNX = "fill.onnx"  # likewise at one size, for those who have no JAX either
PAGE = "fill.html"  # likewise in a page, for those who have a browser
CARD = "README.md"  # the model card of a bundle
COMMIT_FILE = "commit_success.txt"  # Orbax writes it last: a checkpoint without it does not count

# What Orbax and TensorStore raise for a checkpoint's file that is missing, cut short or overwritten.
DAMAGE = (ValueError, KeyError, TypeError, OSError)


def read_sections(path: Path, cure: str) -> dict[str, Any]:
    """What a JSON file holds by name; a UserError with this cure where it cannot be read or holds something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({first_line(error)}); {cure}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (it holds no names); {cure}")
    return content


def first_line(error: Exception) -> str:
    """The beginning of a message, which TensorStore makes very long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]
