"""Fills the hole of a photograph with a trained network.

    python -m scan_jax.inpaint --run=runs/demo photo.png hole.png --out=filled.png [--hole_color=black] [--seed=0]
    python -m scan_jax.inpaint --run=runs/camvid photo.png hole.png --labels=labels.png --out=filled.png

All other pixels, the size and the metadata stay; PNG, WebP and TIFF keep the pixels byte for byte.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from scan_jax import command_line


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m scan_jax.inpaint", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("photograph", type=Path, help="an image file of any size")
    parser.add_argument("hole", type=Path, help="an image file of the same size, white where to fill")
    parser.add_argument("--run", type=Path, required=True, help="the run folder (--workdir) of a training run")
    parser.add_argument("--out", type=Path, required=True, help="where to write: .png, .webp, .tif (lossless) or .jpg")
    parser.add_argument("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    parser.add_argument("--labels", type=Path, help="for methods that want one: a PNG whose pixel values are classes")
    parser.add_argument(
        "--resize_labels", action="store_true", help="a label map of another size: by nearest neighbour"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what the method draws at random")
    return parser.parse_args(argv)


def fill(flags: argparse.Namespace) -> None:
    """Reads, fills and writes; the files are read before the network is loaded, so that a typo costs no wait.

    Raises:
      UserError: whatever the user can put right.
    """
    from scan_jax import label_map
    from scan_jax.inference.hole import read_hole
    from scan_jax.inference.inpainter import Inpainter
    from scan_jax.inference.labels import read_labels
    from scan_jax.inference.photograph import check_output, read_photograph, write_photograph

    check_output(flags.out)
    photograph, hole = read_photograph(flags.photograph), read_hole(flags.hole, flags.hole_color)
    labels = read_labels(flags.labels) if flags.labels else None  # [H,W]
    inpainter = Inpainter.load(flags.run)
    if labels is not None and inpainter.num_labels:
        name = f"the label map {flags.labels}"
        label_map.check(labels, inpainter.num_labels, name)
        labels = label_map.resize_like(labels, photograph.pixels.shape[:2], name) if flags.resize_labels else labels
    filled = inpainter(photograph.pixels, hole, labels, seed=flags.seed)
    write_photograph(flags.out, filled, photograph)
    logging.getLogger("scan_jax").info("wrote %s", flags.out)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    return command_line.run(lambda: fill(flags))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
