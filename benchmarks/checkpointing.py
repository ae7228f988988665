"""How long a checkpoint holds up the steps of a config, while it is begun and while it is written behind them.

    python -m benchmarks.checkpointing --config=configs/demo.py
    python -m benchmarks.checkpointing --config=configs/celeba.py --config.method.loss.perceptual=0.0 \\
        --config.method.loss.style=0.0 --config.data.size=64 --config.training.batch_size=1

The batches are noise, and no weights of feature networks are read: switch off the losses that look through one. A
checkpoint is as large whatever the batch and the size; with smaller ones the steps are shorter, so its share is larger
than in the real run on the same machine.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.core import config as configuration
from scan_jax.core.checkpoint_folder import committed_steps
from scan_jax.core.types import Example
from scan_jax.methods.api import build_method
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.trainer import Trainer


def main() -> None:
    """Prints what a step and a checkpoint take, and their ratio."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--config", required=True)
    flags.add_argument("--saves", type=int, default=5, help="checkpoints to measure, after one to warm up")
    flags.add_argument("--steps", type=int, default=10, help="steps to measure without any, and at least between two")
    flags.add_argument("--folder", help="where to write them; the system's temporary folder without it")
    given, overrides = flags.parse_known_args()
    config = configuration.load(given.config, overrides)
    trainer = Trainer(build_method(config.method), config.training, config.size, config.seed)
    steps = _steps(trainer)
    leaves = jax.tree.leaves(trainer.shapes)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves) / 1e6
    print(f"{jax.device_count()} x {jax.devices()[0].device_kind}; a state of {size:.1f} MB in {len(leaves)} arrays")
    for _ in range(3):
        next(steps)
    plain = [next(steps).seconds for _ in range(given.steps)]
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        saves = list(_saves(steps, Path(folder), given.saves, given.steps))[1:]
    _tell(statistics.median(plain), saves, config.training.checkpoint_every)


@dataclasses.dataclass(frozen=True)
class Stepped:
    """A step that was waited for: what it led to, and how long it took."""

    state: Any
    seconds: float


@dataclasses.dataclass(frozen=True)
class Save:
    """Seconds of the call, of the steps while it was written behind them, and of these beyond the usual.

    Attributes:
      call: in which no step could begin.
      behind: how long it was written after that.
      steps: seconds of the steps in that time.
    """

    call: float
    behind: float
    steps: list[float]


def _steps(trainer: Trainer) -> Iterator[Stepped]:
    """One after the other, for ever."""
    state, frozen, batch = trainer.begin(), trainer.place({}), _noise(trainer)
    while True:
        start = time.perf_counter()
        state, scalars = trainer.step_after(0)(state, frozen, batch, trainer.key)
        jax.block_until_ready((state, scalars))
        yield Stepped(state, time.perf_counter() - start)


def _noise(trainer: Trainer) -> Example:
    """A batch in the shapes of the real one."""
    rng, like = np.random.default_rng(0), trainer.example
    image: Any = rng.random(like.image.shape, np.float32)
    known: Any = (rng.random(like.known.shape) > 0.3).astype(np.float32)
    labels: Any = None if like.labels is None else np.zeros(like.labels.shape, np.int32)
    return trainer.share(Example(image, known, labels))


def _saves(steps: Iterator[Stepped], folder: Path, count: int, between: int) -> Iterator[Save]:
    """A checkpoint, steps while it is written, at least `between`, and again."""
    with contextlib.closing(Checkpoints(folder, Keep(latest=3))) as checkpoints:
        now = next(steps)
        for number in range(count + 1):
            start = time.perf_counter()
            checkpoints.save(number + 1, now.state)
            call, during = time.perf_counter() - start, []
            while number + 1 not in committed_steps(folder):
                during.append((now := next(steps)).seconds)
            behind = time.perf_counter() - start - call
            for _ in range(between):
                now = next(steps)
            yield Save(call, behind, during)


def _tell(step: float, saves: list[Save], every: int) -> None:
    call = statistics.median(save.call for save in saves)
    worst = max(save.call for save in saves)
    behind = statistics.median(save.behind for save in saves)
    slower = statistics.median(sum(save.steps) - step * len(save.steps) for save in saves)
    print(f"a step takes {step:.3f} s (median)")
    print(f"beginning a checkpoint holds it up for {call:.3f} s (median of {len(saves)}; at most {worst:.3f}):")
    print(f"  {call / step:.0%} of the step that saves, {call / (every * step):.3%} on average over {every} steps")
    print(
        f"it is written behind the steps in {behind:.2f} s, which makes these slower by {max(slower, 0):.2f} s in all:"
    )
    print(f"  with that, {(call + max(slower, 0)) / (every * step):.3%} on average over {every} steps")


if __name__ == "__main__":
    main()
