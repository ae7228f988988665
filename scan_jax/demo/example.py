"""What lies on the page at first: a drawn portrait with a hole, and a second one to take styles from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from scan_jax.data.portraits import CLASS_NAMES, portrait
from scan_jax.demo.painting import shown_shape
from scan_jax.images.palette import palette

SEED, PERSON, OTHER = 0, 5, 2  # of those that demo training holds out
# Brush strokes: three points (x, y) of a Bezier curve as shares of the side, and its width.
STROKES = (
    (((0.12, 0.30), (0.34, 0.10), (0.62, 0.22)), 0.026),
    (((0.90, 0.30), (0.78, 0.50), (0.84, 0.84)), 0.026),
    (((0.34, 0.62), (0.30, 0.84), (0.10, 0.94)), 0.026),
)
SMOOTH = 32  # points of a curve


@dataclasses.dataclass(frozen=True)
class Example:
    """Files.

    Attributes:
      photograph: a portrait.
      layer: the painted hole as an editor's layer, at the size at which the photograph is shown.
      labels: its label map; None for methods that take none, as with the following.
      reference: another portrait, to take styles from.
      reference_labels: its label map.
    """

    photograph: Path
    layer: Path
    labels: Path | None = None
    reference: Path | None = None
    reference_labels: Path | None = None


def draw_example(folder: Path, size: int, num_labels: int, colour: tuple[int, int, int]) -> Example | None:
    """Draws and writes one.

    Args:
      folder: where to; it is made.
      size: at which the network was trained.
      num_labels: classes that it wants.
      colour: of the brush.

    Returns:
      None for a network whose classes are not a portrait's.
    """
    if num_labels not in (0, len(CLASS_NAMES)):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    side = min(512, 2 * max(64, size) if num_labels else 6 * max(64, size))
    photograph, labels = _write_portrait(folder, "portrait", PERSON, side)
    layer = folder / "strokes.png"
    Image.fromarray(_strokes(shown_shape((side, side)), colour)).save(layer)
    if not num_labels:
        return Example(photograph, layer)
    reference, reference_labels = _write_portrait(folder, "reference", OTHER, side)
    return Example(photograph, layer, labels, reference, reference_labels)


def _write_portrait(folder: Path, name: str, person: int, side: int) -> tuple[Path, Path]:
    """A portrait and its label map, whose palette is for looking; the indices are the classes."""
    image, labels = portrait(SEED, person, side)  # uint8 [S,S,3], uint8 [S,S]
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
    along = np.linspace(0, 1, SMOOTH)[:, None]  # [n,1]
    for (start, middle, end), thickness in STROKES:
        weights = np.hstack([(1 - along) ** 2, 2 * along * (1 - along), along**2])  # [n,3]
        curve = weights @ np.array([start, middle, end])  # [n,2]
        points = np.round(curve * (width, height)).astype(np.int32)  # [n,2]
        cv2.polylines(alpha, [points], False, 255, round(thickness * width), cv2.LINE_AA)
    return np.dstack([np.full((height, width, 3), colour, np.uint8), alpha])
