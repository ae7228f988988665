"""Measures networks, folders of other programs' results and methods without training, under one protocol.

    python -m scan_jax evaluate --run=runs/faces64 [--against runs/other ...] [--baselines navier_stokes telea]
    python -m scan_jax evaluate --compare runs/a runs/b
    python -m scan_jax evaluate --protocol=scan_celeba_hq --run=runs/celeba
    python -m scan_jax evaluate --protocol=configs/faces64.py --config.data.path=FACES --write_test=TEST
    python -m scan_jax evaluate --protocol=configs/faces64.py --config.data.path=FACES --predictions RESULTS

Without --protocol the test is the one that the run was measured on. Tables (Markdown, LaTeX, CSV, JSON) and a report
for the browser lie in --out. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from scan_jax.commands import cli


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the overrides beside them."""
    parser = cli.parser("evaluate", __doc__)
    some: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    folders: dict[str, Any] = {"type": Path, **some}
    any_number: dict[str, Any] = {"nargs": "*", "action": "extend"}
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        help="a run folder, RUN@best, RUN@STEP or a bundle, compared with all others",
    )
    parser.add_argument("--against", **folders, help="further runs")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="the same as --run=A --against B")
    parser.add_argument("--predictions", **folders, help="folders of another program's results")
    parser.add_argument(
        "--baselines", **any_number, help="navier_stokes harmonic biharmonic (else) telea patchmatch mean class_mean"
    )
    parser.add_argument("--refine", **any_number, help="optimisations at test time to measure, too; else the config's")
    parser.add_argument("--protocol", default="", help="a protocol's name or a config file; else the run's own test")
    parser.add_argument("--metrics", **some, help="groups, or single ones (standard inception/fid); else all")
    parser.add_argument("--write_test", type=Path, help="write the test for another program, and no more")
    parser.add_argument("--out", type=Path, help="where to write; evaluation/PROTOCOL in the run folder without it")
    parser.add_argument("--distributed", default="off", help="auto (TPU, Slurm, Kubernetes) or HOST:PORT,COUNT,INDEX")
    flags, overrides = parser.parse_known_args(argv)
    runs = flags.run or []
    if len(runs) > 1 or (runs and flags.compare):
        parser.error("one --run is compared with all others; name those with --against")
    if flags.write_test and (flags.compare or flags.against or flags.predictions or flags.baselines):
        parser.error("--write_test measures nothing; leave out what should be measured")
    flags.run, *against = flags.compare or runs or [None]
    flags.against = [*against, *flags.against]
    return flags, overrides


def evaluate(flags: argparse.Namespace, overrides: list[str]) -> None:
    """Measures, or writes the test."""
    from scan_jax.core import distributed

    with distributed.joined(flags.distributed):
        alike = {name: value for name, value in vars(flags).items() if name not in ("out", "distributed", "verbose")}
        distributed.agree("arguments", {**alike, "overrides": overrides})
        from scan_jax.evaluation.run_evaluation import run_evaluation

        run_evaluation(flags, overrides)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: evaluate(*parse(argv)))
