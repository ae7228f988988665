"""Trains a method, measures it as it goes, and resumes where it stopped.

python -m scan_jax.main --config=configs/demo.py [--workdir=runs/demo] [--config.training.steps=1000 ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scan_jax.commands import cli
from scan_jax.core.errors import UserError


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the overrides beside them."""
    parser = cli.parser("train", __doc__)
    what = "a name such as celeba, or a file; --config.a.b=value overrides a key of it"
    parser.add_argument("--config", required=True, help=what)
    parser.add_argument("--workdir", help="the run folder; runs/NAME of the config by default")
    parser.add_argument("--distributed", default="off", help="auto (TPU, Slurm, Kubernetes) or HOST:PORT,COUNT,INDEX")
    parser.add_argument("--dry_run", action="store_true", help="print what a step needs and could reach, and stop")
    return parser.parse_known_args(argv)


def train(flags: argparse.Namespace, overrides: list[str]) -> None:
    """Reads the config and runs it."""
    from scan_jax.core import config as configuration
    from scan_jax.core import distributed

    if "://" in (flags.workdir or ""):
        own = "checkpoints alone go to a bucket by its address, --config.training.checkpoints=gs://BUCKET/RUN"
        raise UserError(f"--workdir={flags.workdir} is no folder; mount the bucket and name a folder there, or {own}")
    with distributed.joined(flags.distributed):
        config = configuration.load(flags.config, overrides)
        distributed.agree("config", config.plain)
        if flags.dry_run:
            from scan_jax.commands import dry_run

            dry_run.run(config)
        else:
            from scan_jax.commands import experiment

            experiment.run(config, Path(flags.workdir or Path("runs") / configuration.run_name(flags.config)))


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: train(*parse(argv)))
