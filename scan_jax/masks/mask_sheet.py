"""The doctor's contact sheet: some masks of each ratio bucket, their holes tinted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scan_jax.images import contact_sheet
from scan_jax.images.hole import UNREADABLE, binarise, read_grey, resize_nearest

SIDE = 128  # pixels
MOST_COLUMNS = 8


def write_sheet(
    path: Path, groups: Mapping[str, Sequence[Path]], hole_color: str, photograph_of: Mapping[Path, Path]
) -> None:
    """Writes a PNG with a row for each group that has files, and as many of them as fit, spread over the group.

    Args:
      path: of the PNG.
      groups: label to mask files.
      hole_color: "white" or "black".
      photograph_of: what to show a mask over; the others lie over a graded backdrop.

    Raises:
      UserError: the file cannot be written.
    """
    blank = np.ones((SIDE, SIDE, 3), np.float32)
    columns = min(MOST_COLUMNS, max(map(len, groups.values())))
    rows = []
    for label, files in groups.items():
        if files:
            shown = [_picture(file, hole_color, photograph_of.get(file)) for file in spread(files, columns)]
            rows.append((f"{label} ({len(files)})", shown + [blank] * (columns - len(shown))))
    contact_sheet.save_grid(path, [f"{hole_color} = hole"] + [""] * (columns - 1), rows)


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the files, at equal distances."""
    if len(files) <= count:
        return list(files)
    return [files[i * len(files) // count] for i in range(count)]


def _picture(file: Path, hole_color: str, photograph: Path | None) -> np.ndarray:
    """[SIDE,SIDE,3] in [0, 1]; stretched to a square, as the pipeline does."""
    hole = binarise(resize_nearest(read_grey(file), SIDE), hole_color)  # [SIDE,SIDE]
    beneath = _backdrop() if photograph is None else _read_photograph(photograph)
    return contact_sheet.tint_hole(beneath, 1.0 - hole[..., None].astype(np.float32))


def _read_photograph(file: Path) -> np.ndarray:
    """[SIDE,SIDE,3] in [0, 1]; the backdrop where it cannot be read, since masks are what is examined."""
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(upright, np.float32) / 255.0
    except UNREADABLE:
        return _backdrop()


def _backdrop() -> np.ndarray:
    """Grey, darker towards the lower right, [SIDE,SIDE,3] in [0, 1]."""
    ramp = np.linspace(0.0, 0.25, SIDE, dtype=np.float32)
    return np.repeat((0.85 - ramp[:, None] - ramp[None, :])[..., None], 3, axis=2)
