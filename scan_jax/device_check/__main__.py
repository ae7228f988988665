"""Checks on this machine's device that everything here is right and fast there, and writes one table.

    python -m scan_jax.device_check --minutes=10 --out=DIR [--public=CLONES] [--only PART ...] [--tiny] [--pack=DIR]

Parts, most important first, each in a process of its own: results.jsonl and table.md of DIR are written as they come.
The same command again goes on where the last one ended. --tiny runs every part small, which a CPU does, too. --pack
makes the folder of what has to travel to a machine without network, and runs nothing.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from pathlib import Path

from scan_jax.commands import cli
from scan_jax.core.errors import UserError, counted

log = logging.getLogger(__name__)
START = 120.0  # seconds in which JAX must start


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.Parser(prog="python -m scan_jax.device_check", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all parts together")
    parser.add_argument("--out", type=Path, help="the folder of the results")
    parser.add_argument("--public", type=Path, help="a folder of clones of the public code, to be timed beside ours")
    parser.add_argument("--only", nargs="+", default=(), metavar="PART", help="these parts alone")
    parser.add_argument("--tiny", action="store_true", help="every part, small")
    parser.add_argument("--pack", type=Path, help="make the folder that travels, and stop")
    parser.add_argument("--carry", type=Path, nargs="+", default=(), help="with --pack: runs and data to put into it")
    parser.add_argument("--python", default="", help="with --pack: the version there, such as 3.12, if not this one")
    return parser.parse_args(argv)


def check(flags: argparse.Namespace) -> None:
    """Runs the parts, or packs; a UserError where a row is wrong or a part failed, too."""
    from scan_jax.core.folder_lock import held
    from scan_jax.device_check import plan, runner
    from scan_jax.device_check.machine import require_device
    from scan_jax.device_check.results import TABLE, Results

    if flags.pack:
        from scan_jax.device_check import pack

        pack.pack(flags.pack, flags.carry, flags.python)
        return
    if flags.out is None:
        raise UserError("name a folder for the results: --out=DIR")
    if not (flags.minutes > 0 and math.isfinite(flags.minutes)):
        raise UserError(f"--minutes must be positive, not {flags.minutes}")
    if flags.public and not flags.public.is_dir():
        raise UserError(f"there is no folder {flags.public}: --public names the one that holds the clones")
    parts = plan.chosen(flags.only)
    head = require_device(START, getattr(flags, "device", ""), tiny=flags.tiny)
    out = flags.out.absolute()
    with held(out, "choose another --out"):
        results = Results(out)
        results.begin(head | {"call": f"{flags.minutes:g} minutes{', tiny' * flags.tiny}"})
        public = flags.public.absolute() if flags.public else None
        runner.run(parts, plan.Setting(out, flags.tiny, public), 60 * flags.minutes, results)
    log.info("the table is %s", out / TABLE)
    if wrong := results.wrong():
        raise UserError(f"{counted(len(wrong), 'thing is', 'things are')} not as they should be: {'; '.join(wrong)}")


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: check(parse(argv)))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main(sys.argv[1:]))
