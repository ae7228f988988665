"""The flags of the command that fills photographs. Imports nothing heavy, so that --help answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

STRATEGIES = ("auto", "whole", "windows")
FILE_FORMATS = ("png", "webp", "tif", "jpg")
UNTRAINED = ("harmonic", "biharmonic", "navier_stokes", "telea")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("photograph", type=Path, help="an image file of any size, or a folder of them")
    parser.add_argument("hole", type=Path, nargs="?", help="one of the same size, white where to fill, or a folder")
    parser.add_argument(
        "--run",
        required=True,
        help=f"a run folder, RUN@best, RUN@STEP, a bundle; or one of {', '.join(UNTRAINED)} (a folder: ./NAME)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="a .png, .webp, .tif (lossless) or .jpg to write; a folder for folders",
    )
    _add_reading(parser.add_argument_group("what is read"))
    _add_filling(parser.add_argument_group("how it is filled"))
    _add_styles(parser.add_argument_group("styles, for methods that paint each part from one"))
    _add_folders(parser.add_argument_group("folders"))


def _add_reading(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    group.add_argument("--labels", type=Path, help="for methods that want one: a PNG whose pixel values are classes")
    group.add_argument("--resize_labels", action="store_true", help="labels of another size: by nearest neighbour")


def _add_filling(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seed", type=int, default=0, help="of what the method draws at random")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="auto",
        help="whole: the network sees all of the photograph, shrunk; windows: what is around the hole, at full scale",
    )
    group.add_argument(
        "--feather", type=float, default=0.0, metavar="PIXELS", help="how far in colours meet those around"
    )


def _add_styles(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--style_steps", type=int, default=0, help="updates of the style search, such as 20")
    group.add_argument("--style_from", type=Path, help="a photograph to take styles from")
    group.add_argument("--style_labels", type=Path, help="its label map")
    group.add_argument("--style_parts", nargs="+", default=[], help="names or numbers of classes; all without it")
    group.add_argument("--style_amount", type=float, default=1.0, help="0 is the photograph's own style, 1 the other's")


def _add_folders(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--hole_suffix", default="", help="such as _mask: the hole of A.jpg is A_mask.png or A_mask001.png"
    )
    group.add_argument("--allow_unmatched", action="store_true", help="pass over photographs without a hole, and so on")
    group.add_argument("--keep_existing", action="store_true", help="go on: pass over photographs whose output exists")
    group.add_argument(
        "--format", choices=FILE_FORMATS, default="", help="of all outputs; as each photograph without it"
    )
    group.add_argument("--batch_size", type=int, default=1, help="photographs that the network sees at a time")
    group.add_argument("--dry_run", action="store_true", help="write nothing, show what would be done")
    group.add_argument("--summary", type=Path, metavar="FILE.json", help="what became of each photograph, for programs")
