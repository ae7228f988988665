"""Contact sheets: a row for each photograph, a titled column for each stage of its completion."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scan_jax.core.atomic_write import write_atomically

TINT = (0.93, 0.20, 0.55)  # RGB of a hole in a picture
GAP = 4  # pixels between pictures
MIN_SIDE = 128  # pixels; smaller pictures are enlarged by whole factors
Rows = Sequence[tuple[str, Sequence[np.ndarray]]]  # (label, one picture [H,W,3] for each column)


def tint_hole(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What a network sees, made visible: `image` [H,W,3] in [0, 1] where `known` [H,W,1] is 1, else one colour."""
    if image.shape[:2] != known.shape[:2] or known.shape[2:] != (1,):
        raise ValueError(f"[H,W,3] and [H,W,1] are needed, not {image.shape} and {known.shape}")
    return np.where(known > 0.5, image, np.asarray(TINT, image.dtype))  # [H,W,3]


def grid(columns: Sequence[str], rows: Rows) -> Image.Image:
    """A sheet with column titles above and row labels at the left; pictures are float in [0, 1], or uint8, of one size.

    Raises:
      ValueError: there is no row, a row of another length than `columns`, or pictures of several shapes.
    """
    shapes = {picture.shape for _, pictures in rows for picture in pictures}
    if len(shapes) != 1 or any(len(pictures) != len(columns) for _, pictures in rows):
        raise ValueError(f"a grid needs rows of {len(columns)} pictures of one shape, not {sorted(shapes)}")
    height, width, _ = shapes.pop()
    zoom = max(1, -(-MIN_SIDE // min(height, width)))
    cell_width, cell_height = width * zoom + GAP, height * zoom + GAP
    font = ImageFont.load_default(size=14)
    margin = max((int(font.getlength(label)) + 2 * GAP for label, _ in rows if label), default=GAP)
    top = 14 + 3 * GAP
    sheet = Image.new("RGB", (margin + cell_width * len(columns), top + cell_height * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for j, title in enumerate(columns):
        draw.text((margin + j * cell_width, GAP), title, "black", font)
    for i, (label, pictures) in enumerate(rows):
        draw.text((GAP, top + i * cell_height), label, "black", font)
        for j, picture in enumerate(pictures):
            enlarged = np.repeat(np.repeat(_to_bytes(picture), zoom, axis=0), zoom, axis=1)  # [zH,zW,3]
            sheet.paste(Image.fromarray(enlarged), (margin + j * cell_width, top + i * cell_height))
    return sheet


def save_grid(path: Path, columns: Sequence[str], rows: Rows) -> None:
    """Writes `grid(columns, rows)` as a PNG; a UserError where that cannot be."""
    buffer = io.BytesIO()
    grid(columns, rows).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    """[H,W,3] in [0, 1], or uint8 already, as uint8."""
    if picture.dtype == np.uint8:
        return picture
    return np.round(255.0 * np.clip(np.asarray(picture, np.float32), 0.0, 1.0)).astype(np.uint8)
