"""Fills the holes of photographs with a trained network, or with an equation that needs no training.

    python -m scan_jax inpaint --run=runs/demo photo.png hole.png --out=filled.png [--hole_color=black] [--seed=0]
    python -m scan_jax inpaint --run=runs/camvid photo.png hole.png --labels=labels.png --out=filled.png
    python -m scan_jax inpaint --run=runs/demo photographs/ holes/ --out=filled/ [--dry_run] [--summary=filled.json]
    python -m scan_jax inpaint --run=biharmonic photo.png hole.png --out=filled.png

All other pixels, the size and the metadata stay; PNG, WebP and TIFF keep the pixels byte for byte, PNG and TIFF
with all 16 bits.

Folders are searched at any depth. Files belong together whose paths within their folders are equal but for the suffix;
one hole may be for all photographs. --hole_suffix=_mask takes holes from files such as NAME_mask.png, NAME_mask001.png,
beside the photographs where no folder of holes is given. Outputs have the photographs' names and formats. A photograph
that cannot be filled is named with its reason, and the others are filled. --keep_existing goes on with a stopped run.

--run=harmonic, biharmonic, navier_stokes or telea fills without a network, at the photograph's full resolution. Where
there is a folder of such a name, the bare word is still the equation, and ./harmonic the folder.

Networks that paint each part of a label map from a style take that style from the photograph itself. --style_steps
optimises it for this photograph; --style_from takes it, for all parts or those of --style_parts, from another one:

    ... --style_from=reference.png --style_labels=reference_labels.png --style_parts hair skin --style_amount=0.5

Exit codes: 0 all was filled; 1 nothing was: a file, folder or network is missing or wrong, or every photograph failed;
2 a flag is wrong; 3 some photographs of a folder failed; 130 interrupted, and what was written until then is whole.
"""

from __future__ import annotations

import argparse
import sys

from scan_jax.commands import command_line
from scan_jax.compilation_cache import keep_compilations
from scan_jax.inference.filling.flags import add_flags


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m scan_jax inpaint", description=__doc__, allow_abbrev=False
    )
    add_flags(parser)
    return parser.parse_args(argv)


def fill(flags: argparse.Namespace) -> int:
    """Reads, fills and writes; what can be wrong with the files is found out before the network is loaded.

    Returns:
      The exit code.

    Raises:
      UserError: whatever the user can put right.
    """
    from scan_jax.inference.filling.run import read_wishes, run
    from scan_jax.inference.filling.task import Task

    wishes = read_wishes(flags)
    task = Task.of(flags)
    code = task.show() if flags.dry_run else 0
    if not flags.allow_unmatched:
        task.check_unmatched()
    if flags.dry_run:
        return code
    keep_compilations()
    return run(task, wishes, flags.run, flags.summary)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    codes: list[int] = []
    return command_line.run(lambda: codes.append(fill(flags))) or codes[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
