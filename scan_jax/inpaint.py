"""Fills the hole of a photograph with a trained network.

    python -m scan_jax.inpaint --run=runs/demo photo.png hole.png --out=filled.png [--hole_color=black] [--seed=0]
    python -m scan_jax.inpaint --run=runs/camvid photo.png hole.png --labels=labels.png --out=filled.png

All other pixels, the size and the metadata stay; PNG, WebP and TIFF keep the pixels byte for byte.

Networks that paint each part of a label map from a style take that style from the photograph itself. --style_steps
optimises it for this photograph; --style_from takes it, for all parts or those of --style_parts, from another one:

    ... --style_from=reference.png --style_labels=reference_labels.png --style_parts hair skin --style_amount=0.5
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from scan_jax import command_line
from scan_jax.compilation_cache import keep_compilations
from scan_jax.errors import UserError


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m scan_jax.inpaint", description=__doc__, allow_abbrev=False)
    command_line.add_photograph_flags(parser)
    parser.add_argument("--out", type=Path, required=True, help="where to write: .png, .webp, .tif (lossless) or .jpg")
    parser.add_argument("--seed", type=int, default=0, help="of what the method draws at random")
    parser.add_argument("--style_steps", type=int, default=0, help="updates of the style search, such as 20")
    parser.add_argument("--style_from", type=Path, help="a photograph to take styles from")
    parser.add_argument("--style_labels", type=Path, help="its label map")
    parser.add_argument("--style_parts", nargs="+", default=[], help="names or numbers of classes; all without it")
    parser.add_argument(
        "--style_amount", type=float, default=1.0, help="0 is the photograph's own style, 1 the other's"
    )
    return parser.parse_args(argv)


def fill(flags: argparse.Namespace) -> None:
    """Reads, fills and writes; the files are read before the network is loaded, so that a typo costs no wait.

    Raises:
      UserError: whatever the user can put right.
    """
    from scan_jax.inference.inpainter import Inpainter
    from scan_jax.inference.photograph import check_output, write_photograph
    from scan_jax.inference.request import Request
    from scan_jax.inference.restyle import interpolate, pick_styles

    check_output(flags.out)
    if bool(flags.style_from) != bool(flags.style_labels):
        raise UserError("--style_from and --style_labels go together: a photograph and its label map")
    request = Request.read(flags)
    keep_compilations()
    inpainter = Inpainter.load(flags.run)
    photograph, hole = request.photograph.pixels, request.hole  # [H,W,3], [H,W]
    labels = request.labels_for(inpainter.num_labels)  # [H,W]
    styles = None
    if flags.style_from:
        reference = pick_styles(inpainter.styles(flags.style_from, flags.style_labels), flags.style_parts)
        styles = interpolate(inpainter.styles(photograph, labels, hole), reference, flags.style_amount)
    refine = {"refine": "style_search", "steps": flags.style_steps} if flags.style_steps else {}
    filled = inpainter(photograph, hole, labels, seed=flags.seed, styles=styles, **refine)
    write_photograph(flags.out, filled, request.photograph)
    logging.getLogger("scan_jax").info("wrote %s", flags.out)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    return command_line.run(lambda: fill(flags))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
