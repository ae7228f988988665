"""From a photograph to what the browser shows, and from brush strokes on that back to the photograph's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images import labels as label_map
from scan_jax.images.palette import palette

# Of a shown photograph's longer side, pixels: large enough to paint on, small enough to send.
MIN_SIDE, MAX_SIDE = 512, 1024
OPAQUE = 128  # of 255: the middle of a stroke's soft border
UNPAINTED = -1
Layers = Sequence[Image.Image]  # of an editor, all of one size, from the lowest to the uppermost


def shown_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width at which a photograph of `shape` (height, width, ...) is shown and painted on."""
    longer = max(shape[:2])
    scale = min(MAX_SIDE, max(MIN_SIDE, longer)) / longer
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def show(pixels: np.ndarray) -> np.ndarray:
    """A photograph as the browser shows it: uint8 [H,W,3] -> [h,w,3]."""
    height, width = shown_shape(pixels.shape)
    smaller = height < pixels.shape[0]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def show_labels(labels: np.ndarray, num_labels: int) -> np.ndarray:
    """A label map as the browser shows it: integers [H,W] -> uint8 [h,w,3], in the palette's colours."""
    return palette(num_labels)[label_map.resize(labels, shown_shape(labels.shape))]


def strokes_of(layers: Layers) -> np.ndarray | None:
    """Where the layers are painted: bool [h,w]; None where nothing is."""
    painted = np.any([_alpha(layer) >= OPAQUE for layer in layers], axis=0)  # [h,w]
    return painted if painted.any() else None


def to_photograph(strokes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Strokes at the photograph's own size, bool [H,W]: a pixel is painted where at least half of it is.

    `strokes`, bool [h,w], were painted on `shown_shape(shape)`, or on `shape` (height, width, ...) itself; a UserError
    where they were painted on a photograph of other proportions.
    """
    _check_canvas(strokes.shape, shape)
    if strokes.shape == shape[:2]:
        return strokes
    how = cv2.INTER_AREA if shape[0] < strokes.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(strokes.astype(np.float32), (shape[1], shape[0]), interpolation=how) >= 0.5


def classes_of(layers: Layers, num_labels: int) -> np.ndarray | None:
    """The painted classes, the uppermost layer's: int32 [h,w], UNPAINTED elsewhere; None where nothing is painted.

    Where two strokes meet, the browser blends their colours, and a blend is often nearest to a third class. Such pixels
    take the class of the nearest one that is certain.
    """
    found = None
    for layer in layers:
        painted = _alpha(layer) >= OPAQUE  # [h,w]
        if painted.any():
            colours = np.asarray(layer.convert("RGBA"))[..., :3]  # [h,w,3]
            classes = _nearest_classes(colours, painted, palette(num_labels))  # [h,w]
            found = classes if found is None else np.where(painted, classes, found)
    return found


def repaint(labels: np.ndarray, painted: np.ndarray | None) -> np.ndarray:
    """A label map, integers [H,W], with what was painted on it, int32 [h,w] from `classes_of`: int32 [H,W].

    Raises:
      UserError: it was painted on a label map of other proportions.
    """
    if painted is None:
        return labels
    _check_canvas(painted.shape, labels.shape)
    over = label_map.resize(painted, labels.shape)  # [H,W]
    return np.where(over == UNPAINTED, labels, over).astype(np.int32)


def _nearest_classes(colours: np.ndarray, painted: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Colours uint8 [h,w,3] as indices into classes [N,3]: int32 [h,w], UNPAINTED where not painted."""
    inside = colours[painted].astype(np.int32)  # [n,3]
    kinds, which = np.unique(inside, axis=0, return_inverse=True)  # [k,3], [n]
    far = np.abs(kinds[:, None] - classes.astype(np.int32)).max(-1)  # [k,N]
    nearest, off = far.argmin(1)[which.ravel()], far.min(1)[which.ravel()]  # [n]
    found = np.full(painted.shape, UNPAINTED, np.int32)
    found[painted] = nearest
    certain = np.zeros(painted.shape, bool)
    certain[painted] = off <= 12  # levels a channel; further off, a colour is the blend at the border of two strokes
    if not certain.any():
        return found
    zeros = (~certain).astype(np.uint8)  # OpenCV looks for the nearest zero
    _, index = cv2.distanceTransformWithLabels(zeros, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)  # [h,w]
    by_index = np.zeros(index.max() + 1, np.int32)
    by_index[index[certain]] = found[certain]
    return np.where(painted, by_index[index], UNPAINTED)


def _alpha(layer: Image.Image) -> np.ndarray:
    """uint8 [h,w]."""
    return np.asarray(layer.convert("RGBA"))[..., 3]


def _check_canvas(canvas: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if canvas not in (shown_shape(shape), tuple(shape[:2])):
        raise UserError("the strokes belong to another photograph: clear them, and paint on this one")
