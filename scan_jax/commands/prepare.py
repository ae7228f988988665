"""Prepares data: photographs and masks from what you have on disk, frozen sets of holes, and a look at a mask folder.

python -m scan_jax prepare celebamask_hq --source=CelebAMask-HQ.zip [--size=256] [--data_dir=DIR]
python -m scan_jax prepare verify DIR
python -m scan_jax prepare holes --out=DIR [--size=256] [--per_bucket=100] [--config.holes.name=free_form ...]
python -m scan_jax prepare holes --out=DIR --from=coco.json --images=DIR [--category=person] [--grow=8]
python -m scan_jax prepare labels --out=DIR --from=coco.json --images=DIR [--category sky road]
python -m scan_jax prepare inspect DIR
"""

from __future__ import annotations

import argparse
import logging
import os
import pkgutil
import shlex
from functools import partial
from pathlib import Path
from typing import Any

from scan_jax.commands import cli
from scan_jax.core import config as configuration
from scan_jax.core.errors import UserError, counted
from scan_jax.core.sections import EvaluationSettings
from scan_jax.data.preparation.plan import add_flags, read_flags


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags, and what to do with them: `act`."""
    parser = cli.parser("prepare", __doc__)
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    add_commands(commands)
    add_hole_commands(commands)
    flags, overrides = parser.parse_known_args(argv)
    if overrides and not flags.takes_overrides:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    flags.overrides = overrides
    return flags


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags = parse(argv)
    return cli.run(lambda: flags.act(flags))


log = logging.getLogger(__name__)

BUILDERS = {  # dataclasses of flags in scan_jax.data.builders, each with `plan()`
    "celeba_hq": "celeba_hq:CelebaHq",
    "celebamask_hq": "celeba_hq:CelebaMaskHq",
    "irregular_masks": "irregular_masks:IrregularMasks",
    "labelled_folder": "photo_folder:LabelledFolder",
    "open_photographs": "open_photographs:OpenPhotographs",
    "paris_street_view": "paris_street_view:ParisStreetView",
    "photo_folder": "photo_folder:PhotoFolder",
    "synthetic_portraits": "synthetic_portraits:SyntheticPortraits",
}


def add_commands(commands: Any) -> None:
    """A command for each builder, and one that verifies."""
    for name, place in BUILDERS.items():
        builder = pkgutil.resolve_name(f"scan_jax.data.builders.{place}")
        command = commands.add_parser(name, help=builder.__doc__, description=builder.__doc__)
        command.set_defaults(act=partial(_build, builder), takes_overrides=False)
        command.add_argument(
            "--data_dir", default="", help="of all datasets, else $TFDS_DATA_DIR, ~/tensorflow_datasets"
        )
        command.add_argument(
            "--jobs", type=int, default=os.cpu_count() or 1, help="images made at a time, else as the cores"
        )
        add_flags(command, builder)
    text = "whether a prepared dataset still has the pixels that were built"
    command = commands.add_parser("verify", help=text, description=text)
    command.set_defaults(act=_verify, takes_overrides=False)
    command.add_argument("folder", type=Path, help="the dataset's folder, as the building command printed it")


def _build(builder: Any, flags: argparse.Namespace) -> None:
    """Looks through the source, builds, and says what became of it."""
    from scan_jax.data.preparation.build import build

    if flags.jobs < 1:
        raise UserError(f"--jobs must be positive, not {flags.jobs}")
    plan = read_flags(flags, builder).plan()
    dataset = build(plan, flags.data_dir, flags.jobs)
    for split, records in dataset.splits.items():
        log.info("%s: %s (%s)", split, counted(len(records), "record"), dataset.digests[split][:12])
    size = sum(file.stat().st_size for file in dataset.folder.iterdir())
    log.info("%s, %.1f MB", dataset.folder, size / 1e6)
    usage = plan.usage | ({"data_dir": flags.data_dir} if flags.data_dir else {})
    log.info("train on it with %s", " ".join(_override(plan.section, key, value) for key, value in usage.items()))


def _override(section: str, key: str, value: Any) -> str:
    """The argument of a command, as a shell takes it; text that would be read as a number is quoted for Python, too."""
    text = repr(value) if isinstance(value, str) and configuration.literal(value) != value else value
    return shlex.quote(f"--config.{section}.{key}={text}")


def _verify(flags: argparse.Namespace) -> None:
    """Reads every record and compares with what was built."""
    from scan_jax.data.preparation.build import verify

    for split, count in verify(flags.folder).items():
        log.info("%s: %s", split, counted(count, "record is as it was built", "records are as they were built"))


def add_hole_commands(commands: Any) -> None:
    """Both commands."""
    edges = EvaluationSettings.edges  # what the papers report by
    text = (
        "a frozen set of holes, the same bytes on every machine; --config.holes.KEY=VALUE picks and sets the generator"
    )
    command = commands.add_parser("holes", help=text, description=text)
    command.set_defaults(act=_freeze, takes_overrides=True)
    command.add_argument("--out", type=Path, required=True, help="the folder to write")
    command.add_argument("--size", type=int, default=256, help="height and width, pixels")
    command.add_argument("--per_bucket", type=int, default=100, help="holes in each ratio bucket")
    command.add_argument("--edges", type=float, nargs="+", default=edges, help="of the buckets")
    command.add_argument("--seed", type=int, default=0, help="another seed, other holes")
    add = command.add_argument_group("instead, drawn from annotations of photographs, at their sizes").add_argument
    add("--from", type=Path, dest="annotations", help=ANNOTATIONS)
    add("--images", type=Path, help="the folder of the photographs that were annotated; by default that of --from")
    add("--category", nargs="+", default=(), help="what becomes the hole, by its labels; everything without it")
    add("--grow", type=int, default=0, metavar="PIXELS", help="by which the holes are larger than what is outlined")
    text = "photographs with label maps, to train on, from annotations of photographs"
    command = commands.add_parser("labels", help=text, description=text)
    command.set_defaults(act=_label, takes_overrides=False)
    command.add_argument("--out", type=Path, required=True, help="the folder to write")
    command.add_argument("--from", type=Path, dest="annotations", required=True, help=ANNOTATIONS)
    command.add_argument("--images", type=Path, help="the photographs' folder; by default that of --from")
    command.add_argument("--category", nargs="+", default=(), help="labels that become classes 1, 2, ...; else all")
    text = (
        "what is wrong with a folder of hole masks: polarity, greys, ratios, broken and unmatched files, with a picture"
    )
    command = commands.add_parser("inspect", help=text, description=text)
    command.set_defaults(act=_inspect, takes_overrides=False)
    command.add_argument("folder", type=Path, help="of masks, at any depth")
    command.add_argument("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    command.add_argument("--photographs", type=Path, help="a folder whose photographs the masks belong to, by name")
    command.add_argument("--sheet", type=Path, help="where the picture goes; by default FOLDER_masks.png")


ANNOTATIONS = (
    "JSON of COCO, Segment Anything or labelme, a CSV of run lengths, or a folder of labelme's or Segment Anything's "
    "JSON or of label maps"
)


def _freeze(flags: argparse.Namespace) -> None:
    """Draws the holes and writes them."""
    if flags.annotations:
        _draw(flags)
        return
    if flags.images or flags.category or flags.grow:
        raise UserError("--images, --category and --grow go with --from=FILE, the annotations to draw holes from")
    from scan_jax.masks import frozen_set

    config = {"holes": {"name": "free_form"}}
    configuration.apply_overrides(config, flags.overrides)
    if set(config) != {"holes"}:
        raise UserError("only --config.holes.KEY=VALUE has a meaning here")
    written = frozen_set.write(
        config["holes"], flags.out, size=flags.size, edges=flags.edges, per_bucket=flags.per_bucket, seed=flags.seed
    )
    for label, count in written.counts.items():
        log.info("%s: %s", label, counted(count, "hole"))
    log.info("measure on it with --config.holes.held_out_path=%s", flags.out)


def _draw(flags: argparse.Namespace) -> None:
    """Holes of annotated photographs, beside which they are used."""
    from scan_jax.masks.draw_annotations import draw_holes

    if flags.overrides:
        raise UserError("--config.holes sets a generator, which --from does without")
    count = draw_holes(flags.annotations, _photographs(flags), flags.out, flags.category, flags.grow)
    log.info("%s in %s: look at them with scan_jax prepare inspect %s", counted(count, "hole"), flags.out, flags.out)
    log.info("train on them with --config.holes.name=mask_folder --config.holes.path=%s", flags.out)


def _photographs(flags: argparse.Namespace) -> Path:
    """The folder of --images, by default that of --from."""
    source: Path = flags.annotations
    return flags.images or (source if source.is_dir() else source.parent)


def _label(flags: argparse.Namespace) -> None:
    """Label maps of annotated photographs."""
    from scan_jax.masks.draw_annotations import draw_label_maps

    classes = draw_label_maps(flags.annotations, _photographs(flags), flags.out, flags.category)
    log.info("classes: %s", ", ".join(f"{value} {name}" for value, name in enumerate(classes)))
    section = f"--config.data.name=labelled_folder --config.data.path={flags.out}"
    numbers = f"--config.data.num_labels={len(classes)} --config.method.num_labels={len(classes)}"
    log.info("look at them with scan_jax show-batch --config=portraits64 %s %s", section, numbers)


def _inspect(flags: argparse.Namespace) -> None:
    """Prints the report; problems make the exit code 1."""
    from scan_jax.masks.inspection import inspect

    sheet = flags.sheet or Path(f"{flags.folder.resolve().name}_masks.png")
    report = inspect(flags.folder, hole_color=flags.hole_color, photographs=flags.photographs, sheet=sheet)
    print(report.text())
    if report.files:
        log.info("examples of every ratio are in %s", sheet)
    if report.problems:
        raise UserError(f"{counted(len(report.problems), 'problem')}: see above")
