"""`python -m scan_jax prepare holes`: a frozen set of holes; `inspect`: what is wrong with a folder of masks."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from scan_jax import configuration
from scan_jax.core.errors import UserError

log = logging.getLogger(__name__)

EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # what the papers report by


def add_commands(commands: Any) -> None:
    """Both commands."""
    text = (
        "a frozen set of holes, the same bytes on every machine; --config.holes.KEY=VALUE picks and sets the generator"
    )
    command = commands.add_parser("holes", help=text, description=text)
    command.set_defaults(act=_freeze, takes_overrides=True)
    command.add_argument("--out", type=Path, required=True, help="the folder to write")
    command.add_argument("--size", type=int, default=256, help="height and width, pixels (256)")
    command.add_argument("--per_bucket", type=int, default=100, help="holes in each ratio bucket (100)")
    command.add_argument("--edges", type=float, nargs="+", default=EDGES, help="of the buckets (0.1 0.2 ... 0.6)")
    command.add_argument("--seed", type=int, default=0, help="another seed, other holes (0)")
    text = (
        "what is wrong with a folder of hole masks: polarity, greys, ratios, broken and unmatched files, with a picture"
    )
    command = commands.add_parser("inspect", help=text, description=text)
    command.set_defaults(act=_inspect, takes_overrides=False)
    command.add_argument("folder", type=Path, help="of masks, at any depth")
    command.add_argument(
        "--hole_color", choices=("white", "black"), default="white", help="what marks the hole (white)"
    )
    command.add_argument("--photographs", type=Path, help="a folder whose photographs the masks belong to, by name")
    command.add_argument("--sheet", type=Path, help="where the picture goes (FOLDER_masks.png)")


def _freeze(flags: argparse.Namespace) -> None:
    """Draws the holes and writes them."""
    from scan_jax.masks import frozen_set

    config = {"holes": {"name": "free_form"}}
    configuration.apply(config, flags.overrides)
    if set(config) != {"holes"}:
        raise UserError("only --config.holes.KEY=VALUE has a meaning here")
    written = frozen_set.write(
        config["holes"], flags.out, size=flags.size, edges=flags.edges, per_bucket=flags.per_bucket, seed=flags.seed
    )
    for label, count in written.counts.items():
        log.info("%s: %d holes", label, count)
    log.info("measure on it with --config.holes.held_out_path=%s", written.folder)


def _inspect(flags: argparse.Namespace) -> None:
    """Prints the report; problems make the exit code 1."""
    from scan_jax.masks.inspection import inspect

    sheet = flags.sheet or Path(f"{flags.folder.resolve().name}_masks.png")
    report = inspect(flags.folder, hole_color=flags.hole_color, photographs=flags.photographs, sheet=sheet)
    print(report.text())
    if report.problems:
        raise UserError(f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}: see above")
