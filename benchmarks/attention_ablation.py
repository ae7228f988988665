"""Trains SCAN without SAN and CAN and with each reading of the paper, alike in all else, and prints PSNR by bucket.

    python -m benchmarks.attention_ablation --config=configs/faces64.py --workdir=runs/ablation --steps=400 \\
        --config.data.path=FACES --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES

A variant that is complete is not trained again, so an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from scan_jax import configuration, experiment

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "neither": {"attention": ()},
    "weighted, mean": {"statistics": "weighted", "scale": "mean"},
    "product, mean": {"statistics": "product", "scale": "mean"},
    "weighted, sum": {"statistics": "weighted", "scale": "sum"},
    "product, sum": {"statistics": "product", "scale": "sum"},
    "weighted, mean, raw kernels": {"statistics": "weighted", "scale": "mean", "kernels": "raw"},
}


def main() -> None:
    """Trains what is missing, then prints the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--config", required=True)
    flags.add_argument("--workdir", required=True, type=Path)
    flags.add_argument("--steps", type=int, default=400)
    flags.add_argument("--only", nargs="*", default=list(VARIANTS), help="names of variants")
    given, overrides = flags.parse_known_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    tables = {name: _measure(name, given, overrides) for name in given.only}
    buckets = list(next(iter(tables.values())))
    print(f"PSNR in dB after {given.steps} steps")
    print(f"{'':28}" + "".join(f"{bucket:>9}" for bucket in buckets))
    for name, table in tables.items():
        print(f"{name:28}" + "".join(f"{table[bucket]:9.2f}" for bucket in buckets))


def _measure(name: str, given: argparse.Namespace, overrides: list[str]) -> dict[str, float]:
    """PSNR by bucket after training one variant."""
    config = configuration.load(given.config, overrides)
    config["method"] |= VARIANTS[name]
    config["training"] |= {"steps": given.steps, "checkpoint_every": 0, "evaluate_every": 0, "pictures_every": 0}
    folder = given.workdir / name.replace(", ", "_").replace(" ", "_")
    found = _last_scalars(folder)
    if not found:
        experiment.run(config, folder)
        found = _last_scalars(folder)
    return found


def _last_scalars(folder: Path) -> dict[str, float]:
    """`{"30-40%": 25.2, ...}` of a complete run, or nothing."""
    path = folder / "scalars.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    prefix = "eval/psnr/"
    return {k.removeprefix(prefix): v for line in lines for k, v in line.items() if k.startswith(prefix)}


if __name__ == "__main__":
    main()
