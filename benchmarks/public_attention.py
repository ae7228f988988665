"""RFR's knowledge-consistent attention beside that of the public PyTorch code, in turn, in one run.

    python -m benchmarks.public_attention --clones=FOLDER [--batch=4] [--side=32] [--channels=512] [--rounds=5]

FOLDER holds a clone of jingyuanli001/RFR-Inpainting by its name. Two recurrences, the second with the memory of the
first; once forward, and once with the gradient to the map.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.public_steps.batch import Step, as_torch
from benchmarks.public_steps.clones import load
from benchmarks.public_steps.in_turn import line, medians
from scan_jax.commands import cli
from scan_jax.core import distributed
from scan_jax.ops.contextual_attention import knowledge_consistent_attention


def main(argv: list[str]) -> int:
    """Prints a line for each of the two."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_attention", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--side", type=int, default=32, help="of the map; the published network has 32 at 256x256")
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    flags = parser.parse_args(argv)
    return cli.run(lambda: measure(flags))


def measure(flags: argparse.Namespace) -> None:
    """Forward, then with gradients.

    Raises:
      UserError: the clone is missing.
    """
    shape = (flags.batch, flags.side, flags.side)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*shape, flags.channels)).astype(np.float32) / flags.channels**0.5
    known = (rng.random((*shape, 1)) > 0.3).astype(np.float32)
    print(f"two recurrences at {flags.side}x{flags.side}x{flags.channels}, batch {flags.batch}")
    for name, gradients in (("forward", False), ("with gradients", True)):
        public = public_attention(flags.clones, x, known, gradients=gradients)
        sides = {"public": public, "ours": our_attention(x, known, gradients=gradients)}
        print(line(name, medians(sides, flags.rounds)), flush=True)


def our_attention(image: np.ndarray, known: np.ndarray, *, gradients: bool) -> Step:
    """As the trainer compiles it."""
    ratio = jnp.ones(())

    def twice(x: jax.Array) -> jax.Array:
        found, memory = knowledge_consistent_attention(x, jnp.asarray(known), ratio, None)
        return knowledge_consistent_attention(found, jnp.asarray(known), ratio, memory)[0]

    work = jax.jit(jax.grad(lambda x: jnp.sum(jnp.square(twice(x)))) if gradients else twice)
    return lambda: jax.block_until_ready(work(jnp.asarray(image)))  # type: ignore[no-any-return]


def public_attention(clones: Path, image: np.ndarray, known: np.ndarray, *, gradients: bool) -> Step:
    """The public module's, with its memory emptied before each call."""
    if not torch.cuda.is_available():  # it puts a constant there
        torch.Tensor.cuda = lambda self: self  # type: ignore[method-assign,assignment,misc]
    attend = load(clones, "RFR-Inpainting", "modules.Attention").KnowledgeConsistentAttention(1, 3, 1)
    x, seen = as_torch(image).requires_grad_(gradients), as_torch(known)

    def take() -> None:
        attend.att_scores_prev = attend.masks_prev = None
        with torch.set_grad_enabled(gradients):
            found = attend(attend(x, seen), seen)
            if gradients:
                torch.autograd.grad(found.square().sum(), [x])

    return take


if __name__ == "__main__":
    distributed.keep_freed()  # as the trainer does
    sys.exit(main(sys.argv[1:]))
