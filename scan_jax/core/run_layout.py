"""What lies where in a run folder or a bundle, for those who write it and those who read it."""

from __future__ import annotations

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
CARD = "README.md"  # the model card of a bundle
COMMIT_FILE = "commit_success.txt"  # Orbax writes it last: a checkpoint without it does not count

# What Orbax and TensorStore raise for a checkpoint's file that is missing, cut short or overwritten.
DAMAGE = (ValueError, KeyError, TypeError, OSError)


def first_line(error: Exception) -> str:
    """The beginning of a message, which TensorStore makes very long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]
