"""Shows what hole pixels of a photograph attend to (masked attention, Fig. 4), as heat maps beside the input.

    python -m scan_jax attend --run=runs/portraits64 photo.png hole.png --labels=labels.png --out=attention.png

Red is most, the diamond marks the pixel that looks. --points names pixels of the hole as X,Y from the left and the top;
without it some are chosen that lie far from each other.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from scan_jax.commands import cli
from scan_jax.core.distributed import keep_compilations
from scan_jax.core.errors import UserError

CHOSEN = 4  # pixels, where none are named


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("attend", __doc__)
    parser.add_argument("photograph", type=Path, help="an image file of any size")
    parser.add_argument("hole", type=Path, help="an image file of the same size, white where to fill")
    parser.add_argument("--run", required=True, help="a run folder, RUN@best, RUN@STEP, or a bundle")
    parser.add_argument("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    parser.add_argument("--labels", type=Path, help="for methods that want one: a PNG whose pixel values are classes")
    parser.add_argument("--resize_labels", action="store_true", help="labels of another size: by nearest neighbour")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write, a .png")
    parser.add_argument("--points", nargs="+", default=[], metavar="X,Y", help="pixels of the hole")
    return parser.parse_args(argv)


def show(flags: argparse.Namespace) -> None:
    """Reads, looks and draws."""
    import numpy as np

    from scan_jax.evaluation.run_pictures import choose_points, save_heat_maps
    from scan_jax.inference.inpainter import Inpainter
    from scan_jax.inference.request import Request

    if flags.out.suffix.lower() != ".png":
        raise UserError(f"cannot write {flags.out.name!r}: the name must end in .png")
    points = [_row_and_column(text) for text in flags.points]
    files = (flags.photograph, flags.hole, flags.labels)
    request = Request.open(*files, hole_color=flags.hole_color, resize_labels=flags.resize_labels)
    keep_compilations()
    inpainter = Inpainter.load(flags.run)
    photograph, known = request.photograph.pixels, ~request.hole[..., None]  # [H,W,3], [H,W,1]
    places = np.array(points or choose_points(known, CHOSEN))  # [P,2]
    labels = request.labels_for(inpainter.num_labels)
    maps = inpainter.attention(photograph, request.hole, labels, places)
    save_heat_maps(flags.out, photograph, known, labels, maps, places, inpainter.num_labels)
    logging.getLogger("scan_jax").info("wrote %s", flags.out)


def _row_and_column(text: str) -> tuple[int, int]:
    """ "40,52" -> (52, 40)."""
    x, comma, y = text.partition(",")
    if not (comma and x.strip().isdecimal() and y.strip().isdecimal()):
        raise UserError(f"--points wants pixels as X,Y such as 40,52, not {text!r}")
    return int(y), int(x)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: show(parse(argv)))
