"""Writes what fills holes in a trained run as a bundle of two files, without its critic and optimisers.

    python -m scan_jax.export --run=runs/celeba@best --out=celeba

The newest checkpoint is taken, or that after the @: best or a step. The folder can stand for the run in every --run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scan_jax import command_line


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m scan_jax.export", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--run", type=Path, required=True, help="a run folder, RUN@best or RUN@STEP")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write: a new one or an older export")
    return parser.parse_args(argv)


def export(flags: argparse.Namespace) -> None:
    """Reads and writes; the folder is looked at first, so that a wrong one costs no wait.

    Raises:
      UserError: whatever the user can put right.
    """
    from scan_jax.inference import exporting
    from scan_jax.inference.trained import Trained

    exporting.require_free(flags.out)
    exporting.export(Trained.load(flags.run), flags.out)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    return command_line.run(lambda: export(flags))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
