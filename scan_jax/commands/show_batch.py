"""Draws a batch exactly as training sees it: each photograph, its hole tinted, and its label map where it has one.

    python -m scan_jax show-batch --config=configs/camvid64.py --config.data.path=CAMVID --out=batch.png [--step=0]

Overrides (--config.augmentation.crop=random_resized) are as for scan_jax.main. Nothing is trained or compiled.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

from scan_jax.commands import cli
from scan_jax.core.errors import UserError


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the overrides beside them."""
    parser = cli.parser("show-batch", __doc__)
    parser.add_argument("--config", required=True, help="a name such as celeba, or a file")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write, a .png")
    parser.add_argument("--step", type=int, default=0, help="the batch's number; a run begins with 0")
    parser.add_argument("--rows", type=int, default=8, help="the first so many examples of it")
    return parser.parse_known_args(argv)


def show(flags: argparse.Namespace, overrides: list[str]) -> None:
    """Reads one batch and draws it; a UserError is something that the user can put right."""
    import jax

    from scan_jax.commands import inputs
    from scan_jax.core import config as configuration

    if flags.out.suffix.lower() != ".png":
        raise UserError(f"cannot write {flags.out.name!r}: the name must end in .png")
    if flags.step < 0 or flags.rows < 1:
        raise UserError(f"--step must not be negative and --rows must be positive, not {flags.step} and {flags.rows}")
    config = configuration.load(flags.config, overrides)
    sources = inputs.open_sources(config, inputs.build_method(config).num_labels)
    train = sources.data.train
    with contextlib.closing(sources.batches_from(flags.step)) as batches:
        draw(flags.out, jax.tree.map(lambda array: array[: flags.rows], next(batches)), train.num_labels)
    logging.getLogger("scan_jax").info("wrote %s, batch %d of %s", flags.out, flags.step, train.name)


def draw(path: Path, example: Any, num_labels: int) -> None:
    """A row for each example, with its hole's share of it."""
    from scan_jax.images.contact_sheet import save_grid, tint_hole
    from scan_jax.images.palette import paint

    columns = {"photograph": example.image, "hole": map(tint_hole, example.image, example.known)}  # each [n,S,S,3]
    if example.labels is not None:
        columns["labels"] = paint(example.labels, num_labels)
    names = [f"{1 - known.mean():.0%}" for known in example.known]
    save_grid(path, list(columns), list(zip(names, zip(*columns.values()))))


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags, overrides = parse(argv)
    if "jax" not in sys.modules:  # a picture needs no accelerator, which a run may hold
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    return cli.run(lambda: show(flags, overrides))
