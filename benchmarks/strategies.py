"""What the strategies of filling are worth on photographs larger than the network's size: PSNR in the hole.

    python -m benchmarks.strategies --run=runs/demo [--sides 128 256 320 512] [--count=96]

On held-out synthetic portraits, drawn at each side; half of the holes are squares of an eighth of the side, the others
free-form. This is behind "auto": the whole photograph up to four times the network's size, windows beyond.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

from scan_jax import Inpainter
from scan_jax.commands import cli
from scan_jax.core.errors import UserError
from scan_jax.data.portraits import portrait
from scan_jax.masks.api import open_holes

SEED, STRATEGIES = 0, ("whole", "windows")


def main(argv: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--run", type=Path, required=True, help="of a network that takes no labels")
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256, 320, 512])
    parser.add_argument("--count", type=int, default=96, help="photographs, of those that demo training holds out")
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """Fills each hole by each strategy.

    Raises:
      UserError: the network takes labels, for which there is one strategy.
    """
    inpainter = Inpainter.load(flags.run)
    if inpainter.num_labels:
        raise UserError("a network that takes labels always sees the whole photograph; give another --run")
    print(f"{flags.run}, trained at {inpainter.size}: PSNR in the hole, dB, {flags.count} portraits")
    print(f"{'side':>6}{'hole':>12}{'whole':>9}{'windows':>9}")
    for side in flags.sides:
        scores = defaultdict(list)
        for index in range(flags.count):
            pixels, _ = portrait(SEED, index, side)
            kind, hole = hole_of(index, side)
            for strategy in STRATEGIES:
                filled = inpainter(pixels, hole, strategy=strategy)
                scores[kind, strategy].append(peak_signal_noise_ratio(pixels[hole], filled[hole]))
        for kind in ("square", "free form"):
            means = "".join(f"{np.mean(scores[kind, strategy]):9.2f}" for strategy in STRATEGIES)
            print(f"{side:6}{kind:>12}{means}", flush=True)


def hole_of(index: int, side: int) -> tuple[str, np.ndarray]:
    """Its kind, and bool [side,side]."""
    rng = np.random.default_rng(index)
    if index % 2:
        return "free form", open_holes({"name": "free_form", "ratio": (0.1, 0.4)}).train.draw(rng, side)
    hole = np.zeros((side, side), bool)
    top, left = rng.integers(side // 4, side // 2, 2)
    hole[top : top + side // 8, left : left + side // 8] = True
    return "square", hole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
