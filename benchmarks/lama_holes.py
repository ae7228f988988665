"""LaMa's holes here beside those of the public code: shares, parts and thickness of as many draws of each.

    python -m benchmarks.lama_holes --clones=FOLDER [--size=256] [--draws=2000]

FOLDER holds a clone of advimman/lama, as `lama`; its own generator runs with its own configs, and what its test sets
leave out is left out. `gap` is the largest difference of the two cumulative distributions, `chance` what it exceeds
once in a hundred times where both are the same.
"""

from __future__ import annotations

import argparse
import math
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml
from scipy import stats

from benchmarks.public_steps.clones import load
from scan_jax.commands import cli
from scan_jax.masks.api import open_holes

KINDS = ("thin", "medium", "thick", "training")
TRAINING = "configs/training/data/abl-04-256-mh-dist.yaml"
# What the public module imports for masks from segmentations, which are not drawn here.
UNUSED = {"saicinpainting.evaluation.masks.mask": "SegmentationMask", "pytorch_lightning": "seed_everything"}
MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "share, %": lambda hole: 100 * float(hole.mean()),
    "parts": lambda hole: cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)[0] - 1,
    "thickness, pixels": lambda hole: float(
        cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()
    ),
}


def main(argv: list[str]) -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lama_holes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256, choices=(256, 512))
    parser.add_argument("--draws", type=int, default=2000)
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """A row for each kind and measure: the public code's mean and 10, 50 and 90% quantiles, ours, and the gap.

    Raises:
      UserError: the clone is missing.
    """
    chance = 1.63 * math.sqrt(2 / flags.draws)
    print(f"{flags.draws} holes of {flags.size}x{flags.size} of either; gaps of equals are below {chance:.3f}\n")
    print("| holes | | public mean | 10% | 50% | 90% | here mean | 10% | 50% | 90% | gap |\n|---|---|" + "---|" * 9)
    for kind in KINDS if flags.size == 256 else KINDS[:-1]:  # the released training is of 256x256
        public, rng = public_holes(flags.clones, kind, flags.size), np.random.default_rng(1)
        ours = open_holes({"name": f"lama_{kind}"}).train
        sides = [next(public) for _ in range(flags.draws)], [ours.draw(rng, flags.size) for _ in range(flags.draws)]
        for title, measure in MEASURES.items():
            theirs, found = (np.array([measure(hole) for hole in side]) for side in sides)
            cells = [f"{value:.1f}" for values in (theirs, found) for value in summary(values)]
            gap = stats.ks_2samp(theirs, found).statistic
            print(f"| `lama_{kind}` | {title} | {' | '.join(cells)} | {gap:.3f} |", flush=True)


def summary(values: np.ndarray) -> tuple[float, ...]:
    """Mean and quantiles."""
    return float(values.mean()), *np.quantile(values, (0.1, 0.5, 0.9))


def public_holes(clones: Path, kind: str, size: int) -> Iterator[np.ndarray]:
    """Without end, bool [size,size]."""
    for package, name in UNUSED.items():
        stub = types.ModuleType(package)
        setattr(stub, name, None)
        sys.modules.setdefault(package, stub)
    module = load(clones, "lama", "saicinpainting.training.data.masks")
    file = TRAINING if kind == "training" else f"configs/data_gen/random_{kind}_{size}.yaml"
    config = yaml.safe_load((clones / "lama" / file).read_text())
    settings = config["train"]["mask_gen_kwargs"] if kind == "training" else config["mask_generator_kwargs"]
    draw = module.MixedMaskGenerator(**{key: value for key, value in settings.items() if key != "variants_n"})
    most = config.get("max_tamper_area", 1)
    np.random.seed(0)  # noqa: NPY002 - the state that the public generator draws from
    while True:
        hole = draw(np.zeros((3, size, size), np.float32))[0] > 0
        if hole.mean() <= most:
            yield hole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
