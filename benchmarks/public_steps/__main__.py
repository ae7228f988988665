"""A training step beside that of the public PyTorch code: all updates, the same batch, in turn, in one run.

    python -m benchmarks.public_steps --clones=FOLDER [--only rfr] [--batch=4] [--side=128] [--rounds=5] \\
        [--device=cuda] [--dtype=bfloat16]

FOLDER holds clones of knazeri/edge-connect, advimman/lama, Picsart-AI-Research/MI-GAN, geekyutao/RN and
jingyuanli001/RFR-Inpainting. Perceptual and style terms are left out on both sides, and on theirs the edges are given,
which costs them nothing. In float32 each side has TF32 where it does by default; bfloat16 is theirs by autocast.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import jax
import torch

from benchmarks.public_steps.batch import Batch, on_device, our_step
from benchmarks.public_steps.in_turn import line, medians
from scan_jax.commands import cli
from scan_jax.core import distributed

METHODS = ("edge_connect", "lama", "migan", "region_norm", "rfr")


def main(argv: list[str]) -> int:
    """Prints a line for each method."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_steps", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the public code; ours is JAX's")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    flags = parser.parse_args(argv)
    return cli.run(lambda: measure(flags))


def measure(flags: argparse.Namespace) -> None:
    """One method after the other.

    Raises:
      UserError: a clone is missing.
    """
    batch = Batch.draw(flags.batch, flags.side)
    torch.set_default_device(flags.device)
    half = {"compute_dtype": "bfloat16"} if flags.dtype == "bfloat16" else {}
    print(
        f"{jax.devices()[0].device_kind}, {flags.dtype}: a step of {flags.batch} at {flags.side}x{flags.side}", end=""
    )
    print(f", medians of {flags.rounds} in turn")
    for name in flags.only:
        method = importlib.import_module(f"benchmarks.public_steps.{name}")
        steps = {
            "public": on_device(method.public_step(flags.clones, batch), flags.device, flags.dtype),
            "ours": our_step(method.SECTION | half, method.PHASE, batch),
        }
        print(line(name, medians(steps, flags.rounds)), flush=True)


if __name__ == "__main__":
    distributed.keep_freed()  # as the trainer does
    sys.exit(main(sys.argv[1:]))
