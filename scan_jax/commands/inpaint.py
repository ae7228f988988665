"""Fills the holes of photographs with a trained network, or with an equation that needs no training.

    python -m scan_jax inpaint photo.png hole.png --out=filled.png [--hole_color=black]
    python -m scan_jax inpaint --run=runs/demo photo.png hole.png --out=filled.png [--seed=0]
    python -m scan_jax inpaint --run=runs/camvid photo.png hole.png --labels=labels.png --out=filled.png
    python -m scan_jax inpaint --run=runs/demo photographs/ holes/ --out=filled/ [--dry_run] [--summary=filled.json]
    python -m scan_jax inpaint --run=biharmonic photo.png hole.png --out=filled.png
    python -m scan_jax inpaint erased.png --hole_from=alpha --out=filled.png [--grow=3]

All other pixels, the size and the metadata stay; PNG, WebP and TIFF keep the pixels byte for byte, PNG and TIFF
with all 16 bits.

Folders are searched at any depth. Files belong together whose paths within their folders are equal but for the suffix;
one hole may be for all photographs. --hole_suffix=_mask takes holes from files such as NAME_mask.png, NAME_mask001.png,
beside the photographs where no folder of holes is given. Outputs have the photographs' names and formats. A photograph
that cannot be filled is named with its reason, and the others are filled. --keep_existing goes on with a stopped run.

Without --run, the network that comes with the package fills. --run=harmonic, biharmonic, navier_stokes, telea or
patchmatch fills without a network, at the photograph's full resolution; `python -m scan_jax models` says more of each.
Where there is a folder of such a name, the bare word is still the model, and ./harmonic the folder.

Networks that paint each part of a label map from a style take that style from the photograph itself. --style_steps
optimises it for this photograph; --style_from takes it, for all parts or those of --style_parts, from another one:

    ... --style_from=reference.png --style_labels=reference_labels.png --style_parts hair skin --style_amount=0.5

Exit codes: 0 all was filled; 1 nothing was: a file, folder or network is missing or wrong, or every photograph failed;
2 a flag is wrong; 3 some photographs of a folder failed; 130 interrupted, and what was written until then is whole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scan_jax.commands import cli, models
from scan_jax.core.distributed import keep_compilations
from scan_jax.core.errors import UserError

STRATEGIES = ("auto", "whole", "windows")
FILE_FORMATS = ("png", "webp", "tif", "jpg")
BLENDS = ("auto", "poisson", "none")
# Flags on how to fill: options of `inference.request.FillOptions`, and the steps of the style search.
STYLES = ("style_steps", "style_from", "style_labels", "style_parts", "style_amount")
HOLES = ("hole_from", "hole_tolerance", "grow")
FILL_FLAGS = ("seed", "strategy", "blend", "texture", "grain", *STYLES, "batch_size", *HOLES)


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("inpaint", __doc__)
    add = parser.add_argument
    add("photograph", type=Path, help="an image file of any size, or a folder of them")
    add("hole", type=Path, nargs="?", help="one of the same size, white where to fill, or a folder; see --hole_from")
    words = f"{models.NAMES} (a folder: ./NAME)"
    add("--run", default=models.DEFAULT, help=f"a run folder, RUN@best, RUN@STEP, a bundle; or one of {words}")
    kinds = "a .png, .webp, .tif (lossless) or .jpg to write; a folder for folders"
    add("--out", type=Path, required=True, help=kinds)

    add = parser.add_argument_group("what is read").add_argument
    add("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    own = "no hole file: what is transparent in the photograph (alpha), or painted in a colour (ff00ff)"
    add("--hole_from", default="", metavar="alpha|RRGGBB", help=own)
    add("--hole_tolerance", type=int, default=0, help="levels of 255 by which that colour may differ")
    add("--grow", type=int, default=0, metavar="PIXELS", help="enlarge the hole, where it is tight around what goes")
    add("--labels", type=Path, help="for methods that want one: a PNG whose pixel values are classes")
    add("--resize_labels", action="store_true", help="labels of another size: by nearest neighbour")

    add = parser.add_argument_group("how it is filled").add_argument
    add("--seed", type=int, default=0, help="of what the method draws at random")
    seen = "whole: the network sees all of the photograph, shrunk; windows: what is around the hole, at full scale"
    add("--strategy", choices=STRATEGIES, default="auto", help=seen)
    border = "poisson: a network's filling is shifted so that it meets the known pixels at the hole's border"
    add("--blend", choices=BLENDS, default="auto", help=f"{border}; auto: that, but not with styles from elsewhere")
    add("--feather", type=_gone, help=argparse.SUPPRESS)
    add("--texture", action="store_true", help="detail from patches of the photograph around the hole: large holes")
    add("--grain", action="store_true", help="noise like that around the hole, where the filling lacks it")

    add = parser.add_argument_group("styles, for methods that paint each part from one").add_argument
    add("--style_steps", type=int, default=0, help="updates of the style search, such as 20")
    add("--style_from", type=Path, help="a photograph to take styles from")
    add("--style_labels", type=Path, help="its label map")
    add("--style_parts", nargs="+", default=[], help="names or numbers of classes; all without it")
    add("--style_amount", type=float, default=1.0, help="0 is the photograph's own style, 1 the other's")

    add = parser.add_argument_group("folders").add_argument
    add("--hole_suffix", default="", help="such as _mask: the hole of A.jpg is A_mask.png or A_mask001.png")
    add("--allow_unmatched", action="store_true", help="pass over photographs without a hole, and so on")
    add("--keep_existing", action="store_true", help="go on: pass over photographs whose output exists")
    add("--format", choices=FILE_FORMATS, default="", help="of all outputs; as each photograph without it")
    add("--batch_size", type=int, default=1, help="photographs that the network sees at a time")
    add("--dry_run", action="store_true", help="write nothing, show what would be done")
    add("--summary", type=Path, metavar="FILE.json", help="what became of each photograph, for programs")
    return parser.parse_args(argv)


def _gone(value: str) -> None:
    raise argparse.ArgumentTypeError(f"it was replaced by --blend, which hides seams by default; leave out {value}")


def fill(flags: argparse.Namespace) -> int:
    """The exit code; what can be wrong with the files is found out before the network is loaded."""
    from scan_jax.inference import batch
    from scan_jax.inference.request import FillOptions

    fill_flags = {name: getattr(flags, name) for name in FILL_FLAGS}
    search = {"refine": "style_search", "steps": flags.style_steps} if flags.style_steps else {}
    options = FillOptions(**{name: value for name, value in fill_flags.items() if name != "style_steps"}, **search)
    if flags.summary and flags.summary.suffix.lower() != ".json":
        raise UserError(f"--summary={flags.summary} will be JSON; end its name in .json")
    job = batch.Job.of(flags, options)
    code = job.show() if flags.dry_run else 0
    if not flags.allow_unmatched:
        job.check_unmatched()
    if flags.dry_run:
        return code
    keep_compilations()
    return batch.run(job, options, flags.run, fill_flags, flags.summary)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    codes: list[int] = []
    return cli.run(lambda: codes.append(fill(flags))) or codes[0]
