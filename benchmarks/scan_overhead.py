"""What SAN and CAN add to a training step of SCAN, at the paper's widths, on whatever device JAX finds.

    python -m benchmarks.scan_overhead [--width=64] [--size=256] [--batch=1] [--repeats=5]

Every variant takes the whole step (generator, critic, Adam, moving average; no feature losses), in turn, so that a busy
machine slows all of them alike; the ratios are of medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import jax
import numpy as np

from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.core.types import Example
from scan_jax.methods.api import build_method
from scan_jax.training.trainer import Trainer

VARIANTS = {
    "neither": (),
    "SAN": ("spatial",),
    "CAN": ("channel",),
    "SAN and CAN": ("spatial", "channel"),
}
OPTIMIZERS = {"generator": OptimizerSettings(), "critic": OptimizerSettings(1e-5)}


def main() -> None:
    """Prints one line for each variant."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("width", 64), ("size", 256), ("batch", 1), ("repeats", 5)):
        flags.add_argument(f"--{name}", type=int, default=default)
    given = flags.parse_args()
    example = _example(given.batch, given.size)
    runs = {name: _Run(kinds, given, example) for name, kinds in VARIANTS.items()}
    for _ in range(given.repeats):
        for run in runs.values():
            run.step()
    base = runs["neither"].median()
    print(f"width {given.width}, {given.size}x{given.size}, batch {given.batch}, {jax.devices()[0].device_kind}")
    for name, run in runs.items():
        print(f"{name:12}  {run.median():8.3f} s a step  {100 * (run.median() / base - 1):+6.1f} %")


class _Run:
    """One variant: its compiled step, state and times."""

    def __init__(self, attention: tuple[str, ...], given: argparse.Namespace, example: Example) -> None:
        loss = {"perceptual": 0.0, "style": 0.0}
        section = {
            "name": "scan",
            "width": given.width,
            "critic_width": given.width,
            "attention": attention,
            "loss": loss,
        }
        settings = TrainingSettings(steps=1000, batch_size=given.batch, optimizers=OPTIMIZERS)
        self._trainer: Trainer = Trainer(build_method(section), settings, given.size, seed=0)
        self._batch = next(iter(self._trainer.prefetch(iter([example]))))
        self._state: Any = self._trainer.begin()
        self._times: list[float] = []
        self.step()
        self._times.clear()  # the first one compiled

    def step(self) -> None:
        """One timed step."""
        start = time.perf_counter()
        self._state, _ = self._trainer.step_after(0)(self._state, {}, self._batch, self._trainer.key)
        jax.block_until_ready(self._state)
        self._times.append(time.perf_counter() - start)

    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self._times)


def _example(batch: int, size: int) -> Example:
    rng = np.random.default_rng(0)
    known = (rng.random((batch, size // 16, size // 16, 1)) > 0.35).repeat(16, 1).repeat(16, 2)
    return Example(rng.random((batch, size, size, 3), np.float32), known.astype(np.float32))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
