"""Holes from files and arrays: white is the hole, binarised at 0.5 here and nowhere else in this room."""

from __future__ import annotations

import logging
import os
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from scan_jax.errors import UserError
from scan_jax.inference.photograph import DECODE_ERRORS, reason

log = logging.getLogger(__name__)
HoleColor = Literal["white", "black"]


def read_hole(source: str | os.PathLike[str] | Image.Image | np.ndarray, color: HoleColor = "white") -> np.ndarray:
    """A hole from a file, a Pillow image or an array.

    Args:
      source: an array is [H,W] or [H,W,1]: bool, 0 and 1, 0 to 255, or floating point in [0, 1].
      color: what the hole is painted with.

    Returns:
      bool [H,W], True in the hole.

    Raises:
      UserError: it is missing, no image, or an array of another kind.
    """
    brightness = _array_brightness(source) if isinstance(source, np.ndarray) else _image_brightness(source)  # [H,W]
    grey = float(np.mean((brightness > 0.02) & (brightness < 0.98)))
    if grey > 0.001:
        log.warning("%.1f%% of the hole's pixels are neither black nor white; they were split at mid-grey", 100 * grey)
    white = brightness > 0.5
    return white if color == "white" else ~white


def _array_brightness(array: np.ndarray) -> np.ndarray:
    """[H,W] in [0, 1]; integers are 0 and 1 if there is nothing above 1, else 0 to 255."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    kind = array.dtype.kind
    if array.ndim != 2 or kind not in "buif":
        raise UserError(f"a hole is a bool or number array [H,W], not {array.dtype} {array.shape}")
    if array.size == 0 or not np.all((array >= 0) & (array <= (255 if kind in "ui" else 1))):
        raise UserError("a hole's values are bool, integers from 0 to 255, or floating point from 0 to 1")
    scale = 255.0 if kind in "ui" and array.max() > 1 else 1.0
    return array / scale


def _image_brightness(source: str | os.PathLike[str] | Image.Image) -> np.ndarray:
    """[H,W] in [0, 1], upright; colours weighed as luma, alpha ignored."""
    if isinstance(source, Image.Image):
        return _luma(source)
    try:
        with Image.open(source) as image:
            return _luma(image)
    except DECODE_ERRORS as error:
        raise UserError(f"cannot read the hole {os.fspath(source)}: {reason(error)}") from error


def _luma(image: Image.Image) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits
        return np.asarray(upright, np.float64) / 65535.0
    return np.asarray(upright.convert("L")) / 255.0
