"""How fast each source draws holes on one core, and which ratios a frozen set of it has.

    python -m benchmarks.holes [--size=256] [--seconds=1] [--per_bucket=50]

One process and one thread; every bucket is drawn for the seconds given, of processor time: others may use the machine.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.masks import frozen_set
from scan_jax.masks.api import HoleSource, open_holes
from scan_jax.masks.ratio import BUCKETS_FROM_ZERO, Bucket

NAMES = ("free_form", "strokes", "rectangles", "border", "half", "mixture")
RANGES = (Bucket(0.01, 0.2), Bucket(0.1, 0.6), *BUCKETS_FROM_ZERO)
EDGES = (0.0, *(bucket.high for bucket in BUCKETS_FROM_ZERO))


def main() -> None:
    """Prints a table of holes a second, and one of ratios."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--size", type=int, default=256)
    flags.add_argument("--seconds", type=float, default=1.0)
    flags.add_argument("--per_bucket", type=int, default=50)
    given = flags.parse_args()
    cv2.setNumThreads(1)
    logging.getLogger("scan_jax").setLevel(logging.ERROR)  # buckets out of reach are no news here
    print(f"holes a second on one core, {given.size}x{given.size}")
    print(f"{'ratio':12}" + "".join(f"{limits!s:>12}" for limits in RANGES))
    for name in NAMES:
        rates = [_rate(name, limits, given.size, given.seconds) for limits in RANGES]
        print(f"{name:12}" + "".join(f"{rate:>12}" for rate in rates), flush=True)
    print(f"\nratios of frozen sets, {given.per_bucket} asked for in each bucket: fewest - mean - most (how many)")
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            _print_ratios(name, Path(folder) / "set", given.size, given.per_bucket)


def _rate(name: str, limits: Bucket, size: int, seconds: float) -> str:
    """Holes a second, or a dash where the source has none."""
    try:
        source: HoleSource = open_holes({"name": name, "ratio": (limits.low, limits.high)}).train
        source.draw(np.random.default_rng(0), size)
    except UserError:
        return "-"
    rng, drawn, start = np.random.default_rng(0), 0, time.process_time()
    while time.process_time() - start < seconds:
        source.draw(rng, size)
        drawn += 1
    return f"{drawn / (time.process_time() - start):,.0f}"


def _print_ratios(name: str, folder: Path, size: int, per_bucket: int) -> None:
    """Writes a set and prints what its index says of each bucket."""
    written = frozen_set.write({"name": name}, folder, size=size, edges=EDGES, per_bucket=per_bucket, seed=0)
    rows = frozen_set.index_rows(folder)
    print(f"{name}, digest {written.digest[:12]}")
    for label in written.counts:
        ratios = [float(row["ratio"]) for row in rows if row["bucket"] == label]
        print(f"  {label:>7}  {min(ratios):.4f} - {np.mean(ratios):.4f} - {max(ratios):.4f}  ({len(ratios)})")


if __name__ == "__main__":
    main()
