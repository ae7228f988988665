"""Prepares data: photographs and masks from what you have on disk, frozen sets of holes, and a look at a mask folder.

python -m scan_jax prepare celebamask_hq --source=CelebAMask-HQ.zip [--size=256] [--data_dir=DIR]
python -m scan_jax prepare verify DIR
python -m scan_jax prepare holes --out=DIR [--size=256] [--per_bucket=100] [--config.holes.name=free_form ...]
python -m scan_jax prepare inspect DIR
"""

from __future__ import annotations

import argparse
import sys

from scan_jax.commands import command_line
from scan_jax.prepare import datasets, holes


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags, and what to do with them: `act`."""
    parser = argparse.ArgumentParser(prog="python -m scan_jax prepare", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    datasets.add_commands(commands)
    holes.add_commands(commands)
    flags, overrides = parser.parse_known_args(argv)
    if overrides and not flags.takes_overrides:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    flags.overrides = overrides
    return flags


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    return command_line.run(lambda: flags.act(flags))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
