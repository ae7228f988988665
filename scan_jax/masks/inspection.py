"""The doctor for mask folders: what is in there, which colour is the hole, and what to put right before training."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from scan_jax.core.errors import UserError, counted
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.images import contact_sheet
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, read_image
from scan_jax.images.hole import binarise, check_color, read_grey, resize_nearest
from scan_jax.images.pairs import Pairing, named_as_mask, pair
from scan_jax.masks import frozen_set, problems
from scan_jax.masks.problems import MaskFile, Unreadable, measure
from scan_jax.masks.ratio import BUCKETS_FROM_ZERO, bucket_of

EMPTY, OVER, ALL_HOLE = "empty", "over 60%", "all hole"
GROUPS = (EMPTY, *(bucket.label for bucket in BUCKETS_FROM_ZERO), OVER, ALL_HOLE)
SHOWN = 5  # names in a list


class Report(NamedTuple):
    """What the doctor found."""

    folder: Path  # that was examined
    hole_color: str  # "white" or "black", as given
    files: tuple[MaskFile, ...]  # all that could be read, in order
    unreadable: tuple[Unreadable, ...]  # the others
    polarity: problems.Polarity  # the guess
    groups: Mapping[str, Sequence[Path]]  # ratio group, such as "10-20%" or "empty", to files; in order, empty ones too
    pairing: Pairing | None  # masks and photographs; None where no photographs were given
    frozen: str  # what the folder's manifest says, or nothing
    problems: tuple[str, ...]  # one sentence each, with what to do

    def text(self) -> str:
        """The whole report, in lines."""
        lines = [f"{self.folder}: {counted(len(self.files) + len(self.unreadable), 'mask file')}, {self._sizes()}"]
        lines += [self.frozen] if self.frozen else []
        lines += [self.polarity.text, problems.grey_text(self.files), *self._histogram()]
        lines += [f"duplicates: {problems.duplicates(self.files)}", *self._unreadable(), *self._pairs()]
        count = len(self.problems)
        lines += [f"{counted(count, 'problem') if count else 'no problems'} found{':' if count else ''}"]
        return "\n".join(lines + [f"  {i}. {problem}" for i, problem in enumerate(self.problems, 1)])

    def _sizes(self) -> str:
        sizes = Counter((file.width, file.height) for file in self.files).most_common()
        shown = [f"{width}x{height}" + (f" ({n})" if len(sizes) > 1 else "") for (width, height), n in sizes[:SHOWN]]
        more = [f"{len(sizes) - SHOWN} more sizes"] if len(sizes) > SHOWN else []
        return ", ".join(shown + more) or "none readable"

    def _histogram(self) -> list[str]:
        most = max(map(len, self.groups.values())) or 1
        rows = []
        for label, files in self.groups.items():
            bar = "#" * -(-40 * len(files) // most)  # 40 characters at most
            rows.append(f"  {label:>8} {len(files):6} {bar}".rstrip())
        return [f"hole ratio, {self.hole_color} = hole:", *rows]

    def _unreadable(self) -> list[str]:
        names = [f"  {bad.file.relative_to(self.folder)}: {bad.reason}" for bad in self.unreadable]
        more = [f"  and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        return [f"unreadable: {len(names)}", *names[:SHOWN], *more]

    def _pairs(self) -> list[str]:
        if self.pairing is None:
            return []
        masks, photographs = len(self.pairing.masks_alone), len(self.pairing.photographs_alone)
        alone = f"{counted(masks, 'mask')} and {counted(photographs, 'photograph')} alone"
        return [
            f"pairs: {counted(len(self.pairing.photograph_of), 'mask has its', 'masks have their')} photograph; {alone}"
        ]


def inspect(folder: Path, *, hole_color: str, photographs: Path | None, sheet: Path | None) -> Report:
    """Reads every mask of a folder, at any depth or as its `index.csv` lists them, and says what is odd.

    `hole_color` is "white" or "black"; `photographs` the folder of those that the masks belong to, one by one, maybe
    `folder` itself; `sheet` a PNG to write examples of each ratio bucket to. UserError where there is no such folder,
    or no mask in it, or the sheet cannot be written.
    """
    check_color(hole_color, "hole_color")
    masks = _masks(folder, photographs)
    measured = frozen_set.read_all(measure, masks, "reading masks")
    files = tuple(mask for mask in measured if isinstance(mask, MaskFile))
    unreadable = tuple(mask for mask in measured if isinstance(mask, Unreadable))
    guess = problems.guess_polarity(files)
    pairs = None if photographs is None else pair(masks, photographs)
    frozen, broken = _frozen(folder)
    found = (
        *broken,
        *problems.unreadable(unreadable, len(masks)),
        *problems.mixed(masks, pairs),
        *problems.pixels(files, hole_color, guess),
        *(() if frozen else problems.repeated(files)),  # sources with few holes repeat them in large sets
        *problems.other_kinds(folder, masks, photographs),
        *problems.unmatched(pairs),
    )
    groups = _group(files, hole_color)
    if sheet is not None and files:
        write_sheet(sheet, groups, hole_color, pairs.photograph_of if pairs else {})
    return Report(folder, hole_color, files, unreadable, guess, groups, pairs, frozen, found)


def _masks(folder: Path, photographs: Path | None) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"no folder {str(folder)!r}; give a folder of mask images ({', '.join(SUFFIXES)})")
    masks = frozen_set.find(folder)
    if photographs is not None and photographs.is_dir() and photographs.samefile(folder):
        masks = [file for file in masks if named_as_mask(file.stem)]  # the others are photographs
    if not masks:
        raise UserError(f"no mask images ({', '.join(SUFFIXES)}) in {folder}; give a folder that has some")
    return masks


def _group(files: Sequence[MaskFile], hole_color: str) -> dict[str, list[Path]]:
    """The files by ratio."""
    groups: dict[str, list[Path]] = {label: [] for label in GROUPS}
    for file in files:
        ratio = file.ratio(hole_color)
        bucket = bucket_of(ratio)
        label = ALL_HOLE if ratio == 1.0 else EMPTY if ratio == 0.0 else bucket.label if bucket else OVER
        groups[label].append(file.file)
    return groups


def _frozen(folder: Path) -> tuple[str, tuple[str, ...]]:
    """What the folder's manifest says, and what is wrong with it."""
    try:
        frozen = frozen_set.load(folder)
        if frozen is None:
            return "", ()
        frozen_set.check(folder, frozen)
    except UserError as error:
        return "", (str(error),)
    drawn = f"{frozen.generator}, seed {frozen.seed}, digest {frozen.digest[:12]}"
    return f"a frozen set ({drawn}); every file is as it was written", ()


SIDE = 128  # pixels


def write_sheet(
    path: Path, groups: Mapping[str, Sequence[Path]], hole_color: str, photograph_of: Mapping[Path, Path]
) -> None:
    """Writes a PNG with a row for each group that has files, and as many of them as fit, spread over the group.

    Masks without a photograph in `photograph_of` lie over a graded backdrop.
    """
    blank = np.ones((SIDE, SIDE, 3), np.float32)
    columns = min(8, max(map(len, groups.values())))
    rows = []
    for label, files in groups.items():
        if files:
            shown = [_picture(file, hole_color, photograph_of.get(file)) for file in evenly_spaced(files, columns)]
            rows.append((f"{label} ({len(files)})", shown + [blank] * (columns - len(shown))))
    contact_sheet.save_grid(path, [f"{hole_color} = hole"] + [""] * (columns - 1), rows)


def _picture(file: Path, hole_color: str, photograph: Path | None) -> np.ndarray:
    """[SIDE,SIDE,3] in [0, 1]; stretched to a square, as the pipeline does."""
    hole = binarise(resize_nearest(read_grey(file), SIDE), hole_color)  # [SIDE,SIDE]
    ramp = np.linspace(0.0, 0.25, SIDE, dtype=np.float32)  # a backdrop: grey, darker towards the lower right
    beneath = np.repeat((0.85 - ramp[:, None] - ramp[None, :])[..., None], 3, axis=2)  # [SIDE,SIDE,3]
    if photograph is not None:
        with contextlib.suppress(*DECODE_ERRORS):  # the backdrop will do, since masks are what is examined
            small = Image.fromarray(read_image(photograph)).resize((SIDE, SIDE), Image.Resampling.BOX)
            beneath = np.asarray(small, np.float32) / 255.0
    return contact_sheet.tint_hole(beneath, 1.0 - hole[..., None].astype(np.float32))
