"""Photographs and label maps of any size to squares of one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import UnidentifiedImageError

from scan_jax.data.decode import centre, read_image, resize
from scan_jax.data.files import File
from scan_jax.images import labels as label_map

Crop = Literal["centre", "stretch"]  # the largest centred square, or all of the photograph


def read_photograph(file: File) -> np.ndarray:
    """The photograph, uint8 RGB [H,W,3], upright.

    Raises:
      One of DECODE_ERRORS: the file is empty, truncated, no image or absurdly large.
    """
    if file.size == 0:
        raise OSError("an empty file")
    with file.open() as opened:
        return read_image(opened)


def reason_broken(error: Exception) -> str:
    """The message of one of DECODE_ERRORS in one line, without the open file that Pillow names."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__


def square_image(image: np.ndarray, size: int, crop: Crop) -> np.ndarray:
    """uint8 [H,W,3] -> uint8 [size,size,3]; shrinking averages areas."""
    return resize(centre(image) if crop == "centre" else image, size)


def square_labels(labels: np.ndarray, size: int, crop: Crop) -> np.ndarray:
    """Integers [H,W] below 256 -> uint8 [size,size], by nearest neighbour, cropped as the photograph."""
    cropped = centre(labels) if crop == "centre" else labels
    return label_map.resize(cropped, (size, size)).astype(np.uint8)
