"""What lies on the page at first: a drawn portrait with a hole, and a second one to take styles from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from scan_jax.data.portraits import CLASS_NAMES, portrait
from scan_jax.demo.painting import shown_shape
from scan_jax.images.palette import palette

# Brush strokes: three points (x, y) of a Bezier curve as shares of the side, and its width.
STROKES = (
    (((0.12, 0.30), (0.34, 0.10), (0.62, 0.22)), 0.026),
    (((0.90, 0.30), (0.78, 0.50), (0.84, 0.84)), 0.026),
    (((0.34, 0.62), (0.30, 0.84), (0.10, 0.94)), 0.026),
)


class Example(NamedTuple):
    """Files; the last three for methods that take labels alone."""

    photograph: Path
    layer: Path  # the painted hole as an editor's layer, at the size at which the photograph is shown
    labels: Path | None = None
    reference: Path | None = None  # another portrait, to take styles from
    reference_labels: Path | None = None


def draw_example(folder: Path, size: int, num_labels: int, colour: tuple[int, int, int]) -> Example | None:
    """Draws and writes one for a network of so many classes, trained at `size`; None where those are not a portrait's.

    `folder` is made where it is missing; `colour` is the brush's.
    """
    if num_labels not in (0, len(CLASS_NAMES)):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    side = min(512, 2 * max(64, size) if num_labels else 6 * max(64, size))
    photograph, labels = _write_portrait(folder, "portrait", 5, side)
    layer = folder / "strokes.png"
    Image.fromarray(_strokes(shown_shape((side, side)), colour)).save(layer)
    if not num_labels:
        return Example(photograph, layer)
    return Example(photograph, layer, labels, *_write_portrait(folder, "reference", 2, side))


def _write_portrait(folder: Path, name: str, person: int, side: int) -> tuple[Path, Path]:
    """A portrait that demo training holds out, and its label map: indices are classes, the palette is for looking."""
    image, labels = portrait(0, person, side)  # uint8 [S,S,3], uint8 [S,S]
    paths = folder / f"{name}.png", folder / f"{name}_labels.png"
    Image.fromarray(image).save(paths[0])
    indexed = Image.fromarray(labels).convert("P")
    indexed.putpalette(palette(len(CLASS_NAMES)).ravel().tolist())
    indexed.putdata(labels.ravel().tolist())
    indexed.save(paths[1])
    return paths


def _strokes(shape: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """uint8 [h,w,4], transparent where nothing is painted."""
    height, width = shape
    alpha = np.zeros((height, width), np.uint8)
    along = np.linspace(0, 1, 32)[:, None]  # [n,1]
    weights = np.hstack([(1 - along) ** 2, 2 * along * (1 - along), along**2])  # [n,3]
    for ends, thickness in STROKES:
        points = np.round(weights @ np.array(ends) * (width, height)).astype(np.int32)  # [n,2]
        cv2.polylines(alpha, [points], False, 255, round(thickness * width), cv2.LINE_AA)
    return np.dstack([np.full((height, width, 3), colour, np.uint8), alpha])
