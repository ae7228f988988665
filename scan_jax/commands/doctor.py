"""Says what this machine has, what is wrong with it, and the exact line that puts it right. Nothing is downloaded.

    python -m scan_jax doctor [--json] [--time_limit=120]

Hardware, driver and JAX's devices, each of which computes something; versions against what is required; memory, disk,
and where datasets, weights and compiled programs lie. Ends with 0 where all is well, else with 1 and a line for each
problem. On a TPU pod run it on all hosts at once.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from scan_jax.commands import cli
from scan_jax.core.errors import UserError


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("doctor", __doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the page")
    parser.add_argument("--time_limit", type=float, default=120.0, help="seconds for JAX to start and to compute")
    return parser.parse_args(argv)


def report(flags: argparse.Namespace) -> None:
    """Looks and prints; a UserError where there are problems."""
    from scan_jax.doctor import advice

    if flags.time_limit <= 0:
        raise UserError(f"--time_limit must be positive, not {flags.time_limit}")
    found = advice.examine(flags.time_limit)
    if flags.json:
        print(json.dumps({"healthy": not found.problems} | asdict(found), indent=2))
    else:
        print("\n".join(advice.lines(found)))
    if found.problems:
        number = len(found.problems)
        raise UserError(f"{number} problem{'s' * (number > 1)}, listed above")


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: report(parse(argv)))
