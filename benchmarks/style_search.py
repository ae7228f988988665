"""The style search of a trained run on held-out photographs: its objective, and the PSNR in the hole, before and after.

    python -m benchmarks.style_search --run=runs/portraits64 [--count=16] [--steps=20]

Known pixels are compared byte for byte in what the Inpainter returns.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.held_out import held_out
from scan_jax.core.config import Config
from scan_jax.core.types import Example
from scan_jax.inference.engine import Engine
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.trained import Trained


def main() -> None:
    """Prints a row for each photograph, how many improved, and whether a known pixel changed."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", required=True, type=Path)
    flags.add_argument("--count", type=int, default=16)
    flags.add_argument("--steps", type=int, default=20)
    given = flags.parse_args()
    trained = Trained.load(given.run)
    example = held_out(Config.of(trained.config), given.count)
    engine = Engine(trained.method, trained.variables)
    objective = np.asarray(engine.refine("style_search", example.observe(), 0, given.steps).objective)  # [T+1,B]
    first, lowest = objective[0], objective.min(axis=0)  # [B]
    before, after, changed = _fill(trained, example, given.steps)
    print("photograph  objective before      after    fall  PSNR in the hole, dB: before  after")
    for i, fall in enumerate(1 - lowest / first):
        print(f"{i:10}{first[i]:18.3e}{lowest[i]:11.3e}{fall:8.1%}{before[i]:30.2f}{after[i]:7.2f}")
    fell = f"{np.sum(lowest < first)} of {len(first)}, by {np.mean(1 - lowest / first):.1%} on average"
    print(f"the objective fell on {fell}")
    print(f"PSNR in the hole, mean {before.mean():.2f} -> {after.mean():.2f} dB; known pixels changed: {changed}")


def _fill(trained: Trained, example: Example, steps: int) -> tuple[np.ndarray, np.ndarray, int]:
    """PSNR in the hole without and with the search [B], and how many known pixels either has changed, in 8 bits."""
    inpainter = Inpainter(trained.method, trained.variables, size=trained.size)
    photographs = np.round(np.asarray(example.image) * 255).astype(np.uint8)  # [B,S,S,3]
    holes, labels = np.asarray(example.known)[..., 0] < 0.5, np.asarray(example.labels)  # [B,S,S]
    psnr, changed = [], 0
    for given in zip(photographs, holes, labels):
        filled = inpainter(*given), inpainter(*given, refine="style_search", steps=steps)
        psnr.append([_psnr_in_hole(one, *given[:2]) for one in filled])
        changed += sum(int(np.any(one != given[0], axis=-1)[~given[1]].sum()) for one in filled)
    before, after = np.array(psnr).T
    return before, after, changed


def _psnr_in_hole(filled: np.ndarray, photograph: np.ndarray, hole: np.ndarray) -> float:
    """Over RGB, range 255: uint8 [S,S,3] twice, bool [S,S]."""
    square = np.mean(np.square(filled[hole].astype(np.float64) - photograph[hole]))
    return float(10 * np.log10(255**2 / square))


if __name__ == "__main__":
    main()
