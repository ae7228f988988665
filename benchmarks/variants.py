"""Trains variants of one config, alike in all else, and prints PSNR by bucket; the benchmarks of ablations use it.

A variant that is complete is not trained again, so an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.commands import experiment
from scan_jax.core import config as configuration
from scan_jax.core.config import Config

Variants = Mapping[str, Mapping[str, Any]]  # name -> what it sets in the config's `method` section


def parse(title: str, names: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of such a benchmark, and the config overrides beside them."""
    flags = argparse.ArgumentParser(description=title, allow_abbrev=False)
    flags.add_argument("--config", required=True)
    flags.add_argument("--workdir", required=True, type=Path)
    flags.add_argument("--steps", type=int, default=400)
    flags.add_argument("--seeds", type=int, nargs="*", default=[0])
    flags.add_argument("--only", nargs="*", default=list(names), help="names of variants")
    given, overrides = flags.parse_known_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    return given, overrides


def train(variants: Variants, given: argparse.Namespace, overrides: list[str]) -> dict[str, list[Path]]:
    """The run folders of every variant, one for each seed."""
    return {name: [_train(given, overrides, name, variants[name], seed) for seed in given.seeds] for name in given.only}


def print_psnr(runs: Mapping[str, Sequence[Path]], steps: int) -> None:
    """Mean over seeds of every variant's PSNR, and its spread over them, by bucket."""
    tables = {name: [last_scalars(folder, "eval/psnr/") for folder in folders] for name, folders in runs.items()}
    buckets = list(next(iter(tables.values()))[0])
    count = len(next(iter(tables.values())))
    print(f"PSNR in dB after {steps} steps, mean over {count} seeds" + (" (largest - smallest)" if count > 1 else ""))
    print(f"{'':28}" + "".join(f"{bucket:>16}" for bucket in buckets))
    for name, found in tables.items():
        print(f"{name:28}" + "".join(f"{_spread([table[bucket] for table in found]):>16}" for bucket in buckets))


def last_scalars(folder: Path, prefix: str) -> dict[str, float]:
    """The newest of a run's scalars under `prefix`, such as `{"30-40%": 25.2, ...}`; nothing without a run."""
    path = folder / "scalars.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {key.removeprefix(prefix): v for line in lines for key, v in line.items() if key.startswith(prefix)}


def _train(given: argparse.Namespace, overrides: list[str], name: str, changes: Mapping[str, Any], seed: int) -> Path:
    """The folder of one variant's run, which is complete."""
    config = dict(configuration.load(given.config, overrides).plain)
    config["seed"] = seed
    for key, value in changes.items():
        nested = isinstance(value, Mapping)
        config["method"][key] = {**config["method"].get(key, {}), **value} if nested else value
    config["evaluation"]["refine"] = ()
    config["training"] |= {"steps": given.steps, "checkpoint_every": given.steps}
    config["training"] |= {"evaluate_every": 0, "pictures_every": 0}  # at the end
    folder = given.workdir / f"{name.replace(', ', '_').replace(' ', '_')}_{seed}"
    if not last_scalars(folder, "eval/psnr/"):
        experiment.run(Config.of(config), folder)
    if not last_scalars(folder, "eval/psnr/"):
        raise SystemExit(f"{folder} was stopped; the same command goes on there")
    return folder


def _spread(values: Sequence[float]) -> str:
    """ "25.12 (0.08)"."""
    mean = f"{sum(values) / len(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({max(values) - min(values):.2f})"
